//! The rules of a configuration, field by field.

use agcluster_protocol::{
    DriverKind, PermissionMode, PresetName, PresetTag, Secret, SettingSource, SystemPrompt,
};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::model::{AgentConfig, ReadConfig, ResourceLimits};
use super::names::WORKSPACE;
use super::node::{Kind, Node};
use super::path::{FieldPath, quoted};
use super::problem::ConfigError;
use super::read::{Field, Object, Reader};
use super::{agents, files, mcp, names, placeholder, policy, tools};
use crate::provider::parse_size;

/// The fields of a configuration.
pub(super) const FIELDS: [&str; 22] = [
    "id",
    "name",
    "description",
    "version",
    "allowed_tools",
    "system_prompt",
    "mcp_servers",
    "permission_mode",
    "agents",
    "resource_limits",
    "max_turns",
    "model",
    "cwd",
    "env",
    "setting_sources",
    "created_at",
    "updated_at",
    "image",
    "driver",
    "session",
    "approvals",
    "files",
];

pub(super) const PERMISSION_MODES: [(&str, PermissionMode); 4] = [
    ("default", PermissionMode::Ask),
    ("acceptEdits", PermissionMode::AcceptEdits),
    ("plan", PermissionMode::Plan),
    ("bypassPermissions", PermissionMode::BypassPermissions),
];

pub(super) const SETTING_SOURCES: [(&str, SettingSource); 3] =
    [("user", SettingSource::User), ("project", SettingSource::Project), ("local", SettingSource::Local)];

pub(super) const DRIVERS: [(&str, DriverKind); 2] =
    [("claude", DriverKind::Claude), ("scripted", DriverKind::Scripted)];

/// One hundredth of a processor, less than which nothing runs, to a thousand processors.
pub(super) const CPU_QUOTA: std::ops::RangeInclusive<i64> = 1_000..=100_000_000;

/// One model call to more than anyone pays for.
pub(super) const MAX_TURNS: std::ops::RangeInclusive<i64> = 1..=1_000_000;

/// The smallest size that is not a forgotten unit.
const MIN_SIZE: u64 = 16 << 20;

/// The longest name of a model or an image.
const MAX_REFERENCE: usize = 256;

/// Reads a whole document.
pub(super) fn read(document: &Node) -> Result<ReadConfig, ConfigError> {
    let mut reader = Reader::default();
    let root = Field { path: FieldPath::default(), node: document };
    let config = reader.object(&root).map(|object| config(&mut reader, &object));
    let Reader { mut problems, mut warnings } = reader;
    problems.sort_by_key(|problem| problem.position);
    warnings.sort_by_key(|warning| warning.position);
    ConfigError::check(problems)?;
    // Without an object there was a problem, so there is always a configuration here.
    config
        .map(|config| ReadConfig { config, warnings })
        .ok_or_else(|| ConfigError::one(super::FieldProblem::new(&FieldPath::default(), "must be a mapping")))
}

fn config(reader: &mut Reader, object: &Object<'_>) -> AgentConfig {
    let r = reader;
    let config = AgentConfig {
        id: id(r, object),
        name: name(r, object),
        description: r.optional(object, "description").map(str::to_owned),
        version: r.optional(object, "version").unwrap_or("1.0.0").to_owned(),
        allowed_tools: object.get("allowed_tools").map(|field| tool_list(r, &field)),
        system_prompt: object.get("system_prompt").and_then(|field| system_prompt(r, &field)),
        mcp_servers: object.get("mcp_servers").map(|field| mcp::servers(r, &field)).unwrap_or_default(),
        permission_mode: object.get("permission_mode").and_then(|field| r.word(&field, &PERMISSION_MODES)),
        agents: object.get("agents").map(|field| agents::read(r, &field)),
        resource_limits: object.get("resource_limits").map(|field| resource_limits(r, &field)),
        max_turns: object
            .get("max_turns")
            .and_then(|field| r.integer(&field, MAX_TURNS).and_then(|turns| u32::try_from(turns).ok())),
        model: object.get("model").and_then(|field| reference(r, &field)),
        cwd: object.get("cwd").and_then(|field| working_directory(r, &field)),
        env: object
            .get("env")
            .map(|field| r.map(&field, |r, key, field| variable(r, key, field)))
            .unwrap_or_default(),
        setting_sources: object.get("setting_sources").map(|field| {
            let items = r.list(&field).unwrap_or_default();
            items.iter().filter_map(|item| r.word(item, &SETTING_SOURCES)).collect()
        }),
        created_at: object.get("created_at").and_then(|field| timestamp(r, &field)),
        updated_at: object.get("updated_at").and_then(|field| timestamp(r, &field)),
        image: object.get("image").and_then(|field| reference(r, &field)),
        driver: object.get("driver").and_then(|field| r.word(&field, &DRIVERS)).unwrap_or(DriverKind::Claude),
        session: object.get("session").map(|field| policy::read(r, &field)).unwrap_or_default(),
        files: object.get("files").map(|field| files::read(r, &field)).unwrap_or_default(),
        approvals: object.get("approvals").map(|field| policy::approvals(r, &field)).unwrap_or_default(),
    };
    r.unknown(object, &FIELDS);
    agree(r, object, &config);
    config
}

/// Warns of fields that do not fit one another.
fn agree(reader: &mut Reader, object: &Object<'_>, config: &AgentConfig) {
    let tools = config.allowed_tools.as_deref().unwrap_or_default();
    let servers = || config.mcp_servers.keys().map(String::as_str);
    if let Some(Kind::List(items)) = object.get("allowed_tools").map(|field| &field.node.kind) {
        for (index, node) in items.iter().enumerate() {
            if let Kind::Text(tool) = &node.kind
                && tools::is_of_unknown_server(tool, servers())
            {
                let field = Field { path: object.path.key("allowed_tools").index(index), node };
                reader.warning(&field, "names an MCP server that is not in `mcp_servers`");
            }
        }
    }
    if let Some(field) = object.get("agents")
        && config.agents.as_ref().is_some_and(|agents| !agents.is_empty())
        && config.allowed_tools.is_some()
        && !tools.iter().any(|tool| tool == tools::DELEGATE)
    {
        reader.warning(&field, "can never be called: add `Task` to `allowed_tools`");
    }
}

fn id(reader: &mut Reader, object: &Object<'_>) -> String {
    let hint = "give the configuration an id such as `my-agent`";
    let id = reader.required(object, "id", hint).unwrap_or_default();
    if let Some(field) = object.get("id")
        && matches!(field.node.kind, Kind::Text(_))
        && !names::is_id(id)
    {
        let rule = format!(
            "must be 1 to {} of a-z, 0-9, - and _, such as `my-agent`, not {}",
            names::MAX_NAME,
            quoted(id)
        );
        reader.problem(&field, rule);
    }
    id.to_owned()
}

fn name(reader: &mut Reader, object: &Object<'_>) -> String {
    reader.required(object, "name", "give the configuration a name for people").unwrap_or_default().to_owned()
}

/// A list of tools, each checked.
pub(super) fn tool_list(reader: &mut Reader, field: &Field<'_>) -> Vec<String> {
    let mut list = Vec::new();
    for item in reader.list(field).unwrap_or_default() {
        let Some(tool) = reader.text(&item) else { continue };
        match tools::fault(tool) {
            Some(fault) => reader.problem(&item, fault),
            None => list.push(tool.to_owned()),
        }
    }
    list
}

fn system_prompt(reader: &mut Reader, field: &Field<'_>) -> Option<SystemPrompt> {
    if let Kind::Mapping(_) = field.node.kind {
        let object = reader.object(field)?;
        let tag = required_word(reader, &object, "type", &[("preset", PresetTag::Preset)]);
        let preset = required_word(reader, &object, "preset", &[("claude_code", PresetName::ClaudeCode)]);
        let append = reader.optional(&object, "append").map(str::to_owned);
        reader.unknown(&object, &["type", "preset", "append"]);
        return Some(SystemPrompt::Preset { r#type: tag?, preset: preset?, append });
    }
    if let Kind::Text(_) = field.node.kind {
        return reader.text(field).map(|text| SystemPrompt::Text(text.to_owned()));
    }
    reader.expected(field, "a string, or a mapping with type, preset and append");
    None
}

fn required_word<T: Copy>(
    reader: &mut Reader,
    object: &Object<'_>,
    name: &str,
    words: &[(&str, T)],
) -> Option<T> {
    if let Some(field) = object.get(name) {
        return reader.word(&field, words);
    }
    let word = words.first().map(|(word, _)| *word).unwrap_or_default();
    reader.missing(object, name, &format!("write `{name}: {word}`"));
    None
}

fn resource_limits(reader: &mut Reader, field: &Field<'_>) -> ResourceLimits {
    let Some(object) = reader.object(field) else { return ResourceLimits::default() };
    let limits = ResourceLimits {
        cpu_quota: object
            .get("cpu_quota")
            .and_then(|field| reader.integer(&field, CPU_QUOTA))
            .and_then(|quota| u32::try_from(quota).ok()),
        memory_limit: object.get("memory_limit").and_then(|field| size(reader, &field)),
        storage_limit: object.get("storage_limit").and_then(|field| size(reader, &field)),
    };
    reader.unknown(&object, &["cpu_quota", "memory_limit", "storage_limit"]);
    limits
}

fn size(reader: &mut Reader, field: &Field<'_>) -> Option<String> {
    let text = reader.text(field)?;
    match parse_size(text) {
        Ok(bytes) if bytes >= MIN_SIZE => return Some(text.to_owned()),
        Ok(_) => reader.problem(
            field,
            format_args!("is {}, less than the 16m that anything needs; is the unit missing?", quoted(text)),
        ),
        Err(error) => reader.problem(field, format_args!("is {}, which {error}", quoted(text))),
    }
    None
}

/// The name of a model or an image, which ends up as an argument of a program.
fn reference(reader: &mut Reader, field: &Field<'_>) -> Option<String> {
    let text = reader.text(field)?;
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '`' | '\\' | '$');
    let fits = (1..=MAX_REFERENCE).contains(&text.len()) && !text.starts_with('-') && text.chars().all(plain);
    if !fits {
        let rule = format!(
            "must be 1 to {MAX_REFERENCE} letters, digits and signs without spaces, not {}",
            quoted(text)
        );
        reader.problem(field, rule);
    }
    fits.then(|| text.to_owned())
}

fn working_directory(reader: &mut Reader, field: &Field<'_>) -> Option<String> {
    let text = reader.text(field)?;
    let beneath = text.strip_prefix(WORKSPACE).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let fits = beneath && text.split('/').all(|part| part != "." && part != "..");
    if !fits {
        let rule = format!(
            "must be {WORKSPACE} or an absolute path beneath it without `..`, such as {WORKSPACE}/project, not {}",
            quoted(text)
        );
        reader.problem(field, rule);
    }
    fits.then(|| text.to_owned())
}

/// The value of an environment variable.
pub(super) fn variable(reader: &mut Reader, name: &str, field: &Field<'_>) -> Option<Secret> {
    if !names::is_variable(name) {
        reader.problem(field, "is not a name for a variable: use letters, digits and _, no digit first");
    } else if names::is_reserved(name) {
        reader.problem(field, "is set by the system and cannot be set here; remove it");
    }
    let text = reader.text(field)?;
    warn_of_literal_secret(reader, name, field, text);
    Some(Secret::new(text))
}

/// Warns when a value looks like a secret in clear.
pub(super) fn warn_of_literal_secret(reader: &mut Reader, name: &str, field: &Field<'_>, text: &str) {
    if names::sounds_secret(name) && !text.is_empty() && placeholder::names(text).next().is_none() {
        reader.warning(
            field,
            "looks like a secret that everyone who reads the configuration can see: write a placeholder such as \
             `${NAME}` and give the value at launch",
        );
    }
}

/// A time with or without its offset; without, it is UTC.
fn timestamp(reader: &mut Reader, field: &Field<'_>) -> Option<Timestamp> {
    let text = reader.text(field)?;
    let zoned = text.parse::<Timestamp>().ok();
    let naive = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp());
    let time = zoned.or_else(naive);
    if time.is_none() {
        reader.problem(
            field,
            format_args!("must be a time such as 2026-01-31T12:00:00Z, not {}", quoted(text)),
        );
    }
    time
}
