//! The workspace's packages as cargo describes them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// One package and what it says about its dependencies.
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// What it is built with; development dependencies are not among them.
    pub(crate) dependencies: Vec<Dependency>,
    /// Its features and what each turns on.
    pub(crate) features: BTreeMap<String, Vec<String>>,
}

/// A dependency for building.
pub(crate) struct Dependency {
    /// Name of the package, also when it is renamed here.
    pub(crate) package: String,
    /// The name by which this package knows it.
    pub(crate) name: String,
    /// Whether a feature must turn it on.
    pub(crate) optional: bool,
}

impl Package {
    /// The features that turn `dependency` on, directly.
    pub(crate) fn features_with(&self, dependency: &Dependency) -> Vec<&str> {
        let name = dependency.name.as_str();
        let turns_on = |item: &String| {
            let item = item.strip_prefix("dep:").unwrap_or(item);
            item == name || item.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
        };
        let with = self.features.iter().filter(|(_, items)| items.iter().any(turns_on));
        with.map(|(feature, _)| feature.as_str()).collect()
    }
}

/// The packages of this workspace.
pub(crate) fn of_this_workspace() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output();
    let metadata: Value =
        output.ok().and_then(|output| serde_json::from_slice(&output.stdout).ok()).unwrap_or_default();
    list(&metadata, "packages").iter().map(package).collect()
}

/// The root of this workspace.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

fn package(value: &Value) -> Package {
    let features = value.get("features").and_then(Value::as_object);
    let strings = |items: &Value| items.as_array().into_iter().flatten().map(string).collect();
    Package {
        name: text(value, "name"),
        dependencies: list(value, "dependencies")
            .iter()
            .filter(|dependency| text(dependency, "kind") != "dev")
            .map(dependency)
            .collect(),
        features: features
            .into_iter()
            .flatten()
            .map(|(name, items)| (name.clone(), strings(items)))
            .collect(),
    }
}

fn dependency(value: &Value) -> Dependency {
    let package = text(value, "name");
    let renamed = text(value, "rename");
    Dependency {
        name: if renamed.is_empty() { package.clone() } else { renamed },
        package,
        optional: value.get("optional").and_then(Value::as_bool).unwrap_or_default(),
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).map(string).unwrap_or_default()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
