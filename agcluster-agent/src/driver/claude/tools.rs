//! Which tools exist for the model, in the names that the program knows them by.

use agcluster_protocol::{AgentOptions, PermissionMode, SubAgent};

/// The tool with which the agent asks the user.
pub(super) const ASK: &str = "AskUserQuestion";
/// The tool with which the agent offers a plan.
pub(super) const OFFER_PLAN: &str = "ExitPlanMode";
/// The tool that starts a sub-agent.
const TASK: &str = "Task";
const TODO: &str = "TodoWrite";
const TASK_STOP: &str = "TaskStop";

/// What an agent may use.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tools {
    /// The main agent's tools and patterns of MCP tools.
    pub(super) main: Vec<String>,
    /// The built-in tools that any agent of the session has: others do not exist.
    pub(super) built_in: Vec<String>,
    /// Whether the built-in list alone does not say what the main agent may use.
    pub(super) narrowed: bool,
}

impl Tools {
    pub(super) fn of(options: &AgentOptions) -> Self {
        let mut main = known(&options.allowed_tools);
        // Without any tool, there is nothing to ask or plan about either.
        if main.iter().any(|tool| !is_mcp(tool)) {
            add(&mut main, ASK);
            if options.permission_mode == PermissionMode::Plan {
                add(&mut main, OFFER_PLAN);
            }
        }
        let mut built_in: Vec<String> = main.iter().filter(|tool| !is_mcp(tool)).cloned().collect();
        let own = built_in.len();
        for tool in
            options.agents.values().filter_map(|agent| agent.tools.as_ref()).flat_map(|tools| known(tools))
        {
            if !is_mcp(&tool) {
                add(&mut built_in, &tool);
            }
        }
        let all_of_every_server =
            options.mcp_servers.keys().all(|server| main.iter().any(|tool| is_whole_server(tool, server)));
        let narrowed = built_in.len() > own || !options.agents.is_empty() || !all_of_every_server;
        Self { main, built_in, narrowed }
    }

    /// Whether an MCP server is of any use to the session.
    pub(super) fn needs_server(&self, server: &str, options: &AgentOptions) -> bool {
        let prefix = format!("mcp__{server}");
        let of_server = |tool: &String| {
            let of_it = tool.strip_prefix(&prefix);
            tool == "mcp__*" || of_it.is_some_and(|rest| rest.is_empty() || rest.starts_with("__"))
        };
        let of_sub_agents = options.agents.values().filter_map(|agent| agent.tools.as_ref()).flatten();
        self.main.iter().chain(of_sub_agents).any(of_server)
            || self
                .built_in
                .iter()
                .any(|tool| tool.ends_with("McpResourceTool") || tool.ends_with("McpResourcesTool"))
    }

    /// The tools of a sub-agent: those it names, or else the main agent's but for starting further ones.
    pub(super) fn of_sub_agent(&self, agent: &SubAgent) -> Vec<String> {
        match &agent.tools {
            Some(tools) => known(tools),
            None => self.main.iter().filter(|tool| *tool != TASK && *tool != ASK).cloned().collect(),
        }
    }

    /// The main agent's list where it is narrowed: `Task` may start only these sub-agents.
    pub(super) fn of_main<'a>(&self, sub_agents: impl Iterator<Item = &'a String>) -> Vec<String> {
        let names: Vec<&str> = sub_agents.map(String::as_str).collect();
        let task = format!("{TASK}({})", names.join(", "));
        self.main.iter().map(|tool| if tool == TASK { task.clone() } else { tool.clone() }).collect()
    }

    /// Whether the main agent can hand work to sub-agents.
    pub(super) fn has_task(&self) -> bool {
        self.main.iter().any(|tool| tool == TASK)
    }

    /// Whether the list of things to do is kept with `TodoWrite`, which the program offers only instead of others.
    pub(super) fn has_todo_write(&self) -> bool {
        self.built_in.iter().any(|tool| tool == TODO)
    }

    /// Whether work in the background can be looked after.
    pub(super) fn has_background(&self) -> bool {
        self.built_in.iter().any(|tool| tool == TASK_STOP)
    }
}

/// The names of this version of the program; what it does not have is left out.
fn known(tools: &[String]) -> Vec<String> {
    let mut known = Vec::new();
    for tool in tools {
        let name = match tool.as_str() {
            "Agent" => TASK,
            "KillBash" | "KillShell" => TASK_STOP,
            "ListMcpResources" => "ListMcpResourcesTool",
            "ReadMcpResource" => "ReadMcpResourceTool",
            // Output of background commands is read from files; these tools are no more. `ToolSearch` would hide the
            // tools of MCP servers.
            "BashOutput" | "TaskOutput" | "LS" | "MultiEdit" | "NotebookRead" | "SlashCommand"
            | "ToolSearch" => continue,
            name => name,
        };
        add(&mut known, name);
    }
    known
}

fn add(tools: &mut Vec<String>, tool: &str) {
    if !tools.iter().any(|known| known == tool) {
        tools.push(tool.to_owned());
    }
}

fn is_mcp(tool: &str) -> bool {
    tool.starts_with("mcp__")
}

fn is_whole_server(tool: &str, server: &str) -> bool {
    tool.strip_prefix("mcp__")
        .and_then(|rest| rest.strip_prefix(server))
        .is_some_and(|rest| matches!(rest, "" | "__*"))
        || tool == "mcp__*"
}

#[cfg(test)]
mod tests {
    use super::*;
    use agcluster_protocol::McpServer;

    fn options(tools: &[&str]) -> AgentOptions {
        AgentOptions {
            allowed_tools: tools.iter().map(|tool| (*tool).to_owned()).collect(),
            ..Default::default()
        }
    }

    fn with_server(mut options: AgentOptions, name: &str) -> AgentOptions {
        let server = McpServer::Stdio { command: "x".into(), args: Vec::new(), env: Default::default() };
        options.mcp_servers.insert(name.to_owned(), server);
        options
    }

    fn with_agent(mut options: AgentOptions, tools: Option<&[&str]>) -> AgentOptions {
        let tools = tools.map(|tools| tools.iter().map(|tool| (*tool).to_owned()).collect());
        let agent = SubAgent { description: "d".into(), prompt: "p".into(), tools, model: None };
        options.agents.insert("helper".to_owned(), agent);
        options
    }

    #[test]
    fn names_of_older_versions_become_those_of_this_one() {
        let tools =
            Tools::of(&options(&["Agent", "Task", "BashOutput", "KillBash", "ReadMcpResource", "LS"]));
        assert_eq!(tools.main, ["Task", "TaskStop", "ReadMcpResourceTool", ASK]);
        assert!(tools.has_background());
        assert!(!tools.narrowed);
    }

    #[test]
    fn no_tools_are_no_tools() {
        assert_eq!(Tools::of(&options(&[])).built_in, Vec::<String>::new());
    }

    #[test]
    fn a_plan_can_be_offered_in_plan_mode() {
        let plan = AgentOptions { permission_mode: PermissionMode::Plan, ..options(&["Read"]) };
        assert_eq!(Tools::of(&plan).main, ["Read", ASK, OFFER_PLAN]);
    }

    #[test]
    fn a_server_that_is_allowed_in_part_narrows_the_main_agent() {
        let whole = with_server(options(&["Bash", "mcp__calc__*"]), "calc");
        assert!(!Tools::of(&whole).narrowed);
        let part = with_server(options(&["Bash", "mcp__calc__add"]), "calc");
        let tools = Tools::of(&part);
        assert!(tools.narrowed);
        assert_eq!(tools.main, ["Bash", "mcp__calc__add", ASK]);
        assert_eq!(tools.built_in, ["Bash", ASK]);
        assert!(tools.needs_server("calc", &part));
        assert!(!tools.needs_server("cal", &part));
    }

    #[test]
    fn a_sub_agent_has_its_own_tools_and_only_configured_ones_are_started() {
        let options = with_agent(options(&["Task", "Read"]), Some(&["Bash", "KillShell"]));
        let tools = Tools::of(&options);
        assert!(tools.narrowed);
        assert_eq!(tools.built_in, ["Task", "Read", ASK, "Bash", "TaskStop"]);
        assert_eq!(tools.of_main(options.agents.keys()), ["Task(helper)", "Read", ASK]);
        assert_eq!(tools.of_sub_agent(&options.agents["helper"]), ["Bash", "TaskStop"]);
    }

    #[test]
    fn a_sub_agent_without_a_list_has_the_main_agents_tools() {
        let options = with_agent(options(&["Task", "Read", "mcp__calc__add"]), None);
        let tools = Tools::of(&options);
        assert_eq!(tools.of_sub_agent(&options.agents["helper"]), ["Read", "mcp__calc__add"]);
    }
}
