//! Documents that are refused, with the fields that are named. The sentences stand in `golden/messages.snap`.

use std::fmt::Write;

use serde_json::Value;

use super::super::AgentConfig;

pub(in crate::config) const HEAD: &str = "id: x\nname: X\n";

/// What is appended to a good document, and the fields that are named.
pub(in crate::config) const FIELDS: &[(&str, &[&str])] = &[
    ("description: 5", &["description"]),
    ("version: 1.0", &["version"]),
    ("version: true", &["version"]),
    ("allowed_tools: Bash", &["allowed_tools"]),
    (
        "allowed_tools: [Bash, bash, 7, \"mcp__x,Bash\", Bassh]",
        &["allowed_tools[1]", "allowed_tools[2]", "allowed_tools[3]", "allowed_tools[4]"],
    ),
    ("system_prompt: [a]", &["system_prompt"]),
    ("system_prompt: {append: more}", &["system_prompt.type", "system_prompt.preset"]),
    ("system_prompt: {type: preset, preset: codex}", &["system_prompt.preset"]),
    ("mcp_servers: [github]", &["mcp_servers"]),
    ("mcp_servers: {github: npx}", &["mcp_servers.github"]),
    ("mcp_servers: {github: {args: [x]}}", &["mcp_servers.github.command"]),
    ("mcp_servers: {github: {command: ' '}}", &["mcp_servers.github.command"]),
    ("mcp_servers: {github: {url: 'https://x'}}", &["mcp_servers.github.type"]),
    ("mcp_servers: {github: {type: websocket, url: 'wss://x'}}", &["mcp_servers.github.type"]),
    (
        "mcp_servers: {a: {type: http}, b: {type: sse, url: 'ftp://x'}, c: {type: http, url: '${X}://y'}}",
        &["mcp_servers.a.url", "mcp_servers.b.url", "mcp_servers.c.url"],
    ),
    (
        "mcp_servers: {a: {type: http, url: 'http://x', headers: {'a b': c, d: \"e\\nf\"}}}",
        &["mcp_servers.a.headers[\"a b\"]", "mcp_servers.a.headers.d"],
    ),
    (
        "mcp_servers: {a: {command: c, args: [-v, 3], env: {1A: x, PORT: 80, SESSION_ID: x}}}",
        &[
            "mcp_servers.a.args[1]",
            "mcp_servers.a.env.1A",
            "mcp_servers.a.env.PORT",
            "mcp_servers.a.env.SESSION_ID",
        ],
    ),
    (
        "mcp_servers: {'a__b': {command: c}, 'a b': {command: c}, '': {command: c}}",
        &["mcp_servers.a__b", "mcp_servers[\"a b\"]", "mcp_servers[\"\"]"],
    ),
    ("permission_mode: acceptedits", &["permission_mode"]),
    ("permission_mode: 1", &["permission_mode"]),
    (
        "agents: {frontend: {tools: [Read, Write, Editt], model: gpt}}",
        &[
            "agents.frontend.description",
            "agents.frontend.prompt",
            "agents.frontend.tools[2]",
            "agents.frontend.model",
        ],
    ),
    ("agents: {'': {description: d, prompt: p}}", &["agents[\"\"]"]),
    ("agents: [frontend]", &["agents"]),
    (
        "resource_limits: {cpu_quota: 999, memory_limit: 4x, storage_limit: 10}",
        &["resource_limits.cpu_quota", "resource_limits.memory_limit", "resource_limits.storage_limit"],
    ),
    (
        "resource_limits: {cpu_quota: 1.5, memory_limit: '10', storage_limit: ''}",
        &["resource_limits.cpu_quota", "resource_limits.memory_limit", "resource_limits.storage_limit"],
    ),
    (
        "resource_limits: {cpu_quota: 100000001, memory_limit: 0}",
        &["resource_limits.cpu_quota", "resource_limits.memory_limit"],
    ),
    ("resource_limits: 4g", &["resource_limits"]),
    ("max_turns: 0", &["max_turns"]),
    ("max_turns: -1", &["max_turns"]),
    ("max_turns: 99999999999999999999", &["max_turns"]),
    ("max_turns: '5'", &["max_turns"]),
    ("model: ''", &["model"]),
    ("model: --dangerous", &["model"]),
    ("image: 'a b'", &["image"]),
    ("cwd: src", &["cwd"]),
    ("cwd: /etc", &["cwd"]),
    ("cwd: /workspace2", &["cwd"]),
    ("cwd: /workspace/../etc", &["cwd"]),
    (
        "env: {ANTHROPIC_API_KEY: x, AGCLUSTER_X: x, 'A=B': z}",
        &["env.ANTHROPIC_API_KEY", "env.AGCLUSTER_X", "env[\"A=B\"]"],
    ),
    ("env: {DEBUG: true}", &["env.DEBUG"]),
    ("env: {A: \"a\\0b\"}", &["env.A"]),
    ("setting_sources: project", &["setting_sources"]),
    ("setting_sources: [user, projet]", &["setting_sources[1]"]),
    ("created_at: yesterday", &["created_at"]),
    ("driver: codex", &["driver"]),
    ("max_turns: 0\ncwd: src\nallowed_tools: [Nope]", &["max_turns", "cwd", "allowed_tools[0]"]),
];

/// Whole documents, and the fields that are named.
const DOCUMENTS: &[(&str, &[&str])] = &[
    ("", &[""]),
    ("just text", &[""]),
    ("- a\n- b", &[""]),
    ("name: X", &["id"]),
    ("id: x", &["name"]),
    ("{}", &["id", "name"]),
    ("id: ''\nname: X", &["id"]),
    ("id: ../../etc/passwd\nname: X", &["id"]),
    ("id: My Agent\nname: 5", &["id", "name"]),
    ("id: x\nname: X\nmax_turns: yes", &["max_turns"]),
    ("id: x\nname: X\nid: y", &[""]),
    ("id: x\nname: X\nallowed_tools: [Bash", &[""]),
    ("id: x\n\tname: X", &[""]),
    ("id: x\nname: 'X", &[""]),
    ("id: x\nname: X\n---\nid: y\nname: Y", &[""]),
    ("id: x\nname: *nobody", &[""]),
    ("id: x\nname: !!python/object X", &[""]),
    ("id: x\nname: X\nmax_turns: .inf", &[""]),
    ("id: x\nname: X\n? [a, b]\n: c", &[""]),
];

#[test]
fn every_bad_document_names_its_fields_and_says_what_to_do() {
    let mut sentences = String::new();
    let fields = FIELDS.iter().map(|(text, fields)| (format!("{HEAD}{text}"), *text, *fields));
    let documents = DOCUMENTS.iter().map(|(text, fields)| ((*text).to_owned(), *text, *fields));
    for (document, text, fields) in fields.chain(documents) {
        let error = AgentConfig::from_yaml(&document).expect_err(text);
        let named: Vec<&str> = error.problems().iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(named, fields, "{text}\n{error}");
        writeln!(sentences, "{}", text.replace('\n', "⏎")).unwrap();
        for problem in error.problems() {
            writeln!(sentences, "    {problem}").unwrap();
        }
    }
    insta::with_settings!({snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("messages", sentences);
    });
}

#[test]
fn json_is_held_to_the_same_rules() {
    for (text, fields) in FIELDS {
        let document = format!("{HEAD}{text}");
        let Ok(value) = serde_saphyr::from_str::<Value>(&document) else { continue };
        let error = AgentConfig::from_json(value).expect_err(text);
        let mut named: Vec<&str> = error.problems().iter().map(|problem| problem.field.as_str()).collect();
        let mut fields = fields.to_vec();
        // The parser that made the value does not keep the order of keys.
        named.sort_unstable();
        fields.sort_unstable();
        assert_eq!(named, fields, "{text}");
        assert!(error.problems().iter().all(|problem| problem.position.is_none()), "{text}");
    }
}

#[test]
fn what_is_doubtful_is_a_warning() {
    let text = "
id: x
name: X
alowed_tools: [Bash]
platform: fly_machines
platform_credentials: null
allowed_tools: [Read, mcp__gone__x]
system_prompt: {type: preset, preset: claude_code, apend: more}
mcp_servers:
  a: {command: c, url: 'http://x', args: ['--key=${KEY}'], env: {API_TOKEN: abc, OTHER_TOKEN: '${T}'}}
  b: {type: http, url: 'http://x', command: c, headers: {Authorization: Bearer abc}}
agents:
  helper: {description: d, prompt: p, skills: [y]}
resource_limits: {cpus: 2}
";
    let read = AgentConfig::from_yaml(text).unwrap();
    let sentences: Vec<String> = read.warnings.iter().map(ToString::to_string).collect();
    insta::with_settings!({snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("warnings", sentences.join("\n"));
    });
    assert!(!sentences.iter().any(|sentence| sentence.contains("abc")), "a value is never repeated");
}

#[test]
fn a_flood_of_problems_is_cut() {
    let document = format!("id: x\nname: X\nallowed_tools: [{}]", "nope, ".repeat(5_000));
    let error = AgentConfig::from_yaml(&document).unwrap_err();
    assert_eq!(error.problems().len(), 100);
    assert!(error.to_string().len() < 3_000, "{error}");
}

#[test]
fn no_value_of_a_variable_is_ever_in_a_message() {
    let text = "
id: x
name: X
env: {A: [hush], ANTHROPIC_API_KEY: hush, B: \"hush\\0\"}
mcp_servers:
  a: {command: c, env: {A: {b: hush}}}
  b: {type: http, url: 'ftp://user:hush@x', headers: {A: \"hush\\n\"}}
";
    let error = AgentConfig::from_yaml(text).unwrap_err();
    assert_eq!(error.problems().len(), 6, "{error}");
    assert!(!error.problems().iter().any(|problem| problem.message.contains("hush")), "{error}");
}
