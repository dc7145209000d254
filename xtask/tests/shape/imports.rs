//! Which crate of this workspace may be built with which other one, and without which outside ones.

use crate::packages::{self, Dependency, Package};

/// The crates that others may be built with.
const LIBRARIES: &[&str] =
    &["agcluster-agent", "agcluster-core", "agcluster-protocol", "agcluster-providers", "agcluster-server"];

/// What a crate may import of this workspace. `name:feature` allows it under that feature only.
const ALLOWED: &[(&str, &[&str])] = &[
    ("agcluster-protocol", &[]),
    ("agcluster-core", &["agcluster-protocol"]),
    ("agcluster-providers", &["agcluster-core", "agcluster-agent:memory"]),
    ("agcluster-agent", &["agcluster-protocol"]),
    ("agcluster-server", &["agcluster-core", "agcluster-protocol", "agcluster-providers"]),
    ("agcluster-tests", LIBRARIES),
    ("xtask", LIBRARIES),
];

/// Outside crates that a crate must do without. `name:feature` forbids it except under that feature.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("agcluster-protocol", &["axum", "bollard", "reqwest", "tokio"]),
    ("agcluster-core", &["axum", "bollard", "tower-http"]),
    ("agcluster-providers", &["axum:memory"]),
    ("agcluster-server", &["bollard"]),
];

/// What is wrong, one sentence each.
fn faults(packages: &[Package]) -> Vec<String> {
    let ours = |name: &str| packages.iter().any(|package| package.name == name);
    let mut faults = Vec::new();
    for package in packages {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
            faults.push(format!("{} is not in the plan: say here what it may import", package.name));
            continue;
        };
        let forbidden =
            FORBIDDEN.iter().find(|(name, _)| *name == package.name).map_or(&[][..], |(_, names)| names);
        for dependency in &package.dependencies {
            let rule = |rules: &[&'static str]| {
                let named = |rule: &&str| rule.split(':').next() == Some(dependency.package.as_str());
                rules.iter().copied().find(named)
            };
            let fault = match rule(if ours(&dependency.package) { allowed } else { forbidden }) {
                Some(rule) => match rule.split_once(':') {
                    Some((_, feature)) => only_under(package, dependency, feature),
                    None if ours(&dependency.package) => None,
                    None => Some(format!("{} must do without {rule}", package.name)),
                },
                None if ours(&dependency.package) => {
                    Some(format!("{} may not import {}", package.name, dependency.package))
                }
                None => None,
            };
            faults.extend(fault);
        }
    }
    faults
}

fn only_under(package: &Package, dependency: &Dependency, feature: &str) -> Option<String> {
    let held = dependency.optional && package.features_with(dependency) == [feature];
    (!held).then(|| {
        format!("{} may import {} only under its feature {feature}", package.name, dependency.package)
    })
}

#[test]
fn crates_import_only_what_the_plan_allows() {
    let packages = packages::of_this_workspace();
    assert_eq!(packages.len(), ALLOWED.len(), "every crate of the plan is in the workspace");
    assert_eq!(faults(&packages), Vec::<String>::new());
}

fn package(name: &str, dependencies: &[(&str, bool)], features: &[(&str, &[&str])]) -> Package {
    Package {
        name: name.to_owned(),
        dependencies: dependencies
            .iter()
            .map(|&(name, optional)| Dependency { package: name.to_owned(), name: name.to_owned(), optional })
            .collect(),
        features: features
            .iter()
            .map(|(name, items)| ((*name).to_owned(), items.iter().map(|&item| item.to_owned()).collect()))
            .collect(),
    }
}

/// The faults of one crate in a workspace with all others of the plan.
fn faults_of(name: &str, dependencies: &[(&str, bool)], features: &[(&str, &[&str])]) -> Vec<String> {
    let others =
        ALLOWED.iter().filter(|(other, _)| *other != name).map(|(other, _)| package(other, &[], &[]));
    faults(&others.chain([package(name, dependencies, features)]).collect::<Vec<_>>())
}

#[test]
fn an_import_against_the_plan_is_a_fault() {
    for (from, to) in [
        ("agcluster-protocol", "agcluster-core"),
        ("agcluster-core", "agcluster-providers"),
        ("agcluster-core", "agcluster-agent"),
        ("agcluster-agent", "agcluster-core"),
        ("agcluster-server", "agcluster-agent"),
        ("agcluster-server", "agcluster-tests"),
        ("agcluster-providers", "xtask"),
        ("agcluster-providers", "agcluster-protocol"),
    ] {
        assert_eq!(faults_of(from, &[(to, false)], &[]), [format!("{from} may not import {to}")]);
        assert_eq!(
            faults_of(from, &[(to, true)], &[("extra", &["dep:x"])]).len(),
            1,
            "not even as an option"
        );
    }
    assert_eq!(faults_of("agcluster-server", &[("agcluster-core", false)], &[]), Vec::<String>::new());
}

#[test]
fn an_outside_crate_in_the_wrong_place_is_a_fault() {
    assert_eq!(faults_of("agcluster-core", &[("axum", false)], &[]), ["agcluster-core must do without axum"]);
    assert_eq!(
        faults_of("agcluster-core", &[("bollard", true)], &[]),
        ["agcluster-core must do without bollard"]
    );
    assert_eq!(faults_of("agcluster-server", &[("axum", false)], &[]), Vec::<String>::new());
}

#[test]
fn what_is_allowed_under_one_feature_is_a_fault_elsewhere() {
    for dependency in ["agcluster-agent", "axum"] {
        let fault = format!("agcluster-providers may import {dependency} only under its feature memory");
        let turned_on = &*format!("dep:{dependency}");
        let extra = &*format!("{dependency}/extra");
        let of = |optional, on: &str, also: &str| {
            let features: &[(&str, &[&str])] = &[(on, &[turned_on]), (also, &[extra])];
            faults_of("agcluster-providers", &[(dependency, optional)], features)
        };
        assert_eq!(of(true, "memory", "memory"), Vec::<String>::new());
        for (optional, on, also) in
            [(false, "memory", "memory"), (true, "docker", "docker"), (true, "memory", "docker")]
        {
            assert_eq!(of(optional, on, also).as_slice(), std::slice::from_ref(&fault));
        }
    }
}

#[test]
fn a_crate_outside_the_plan_is_a_fault() {
    assert_eq!(faults(&[package("agcluster-extra", &[], &[])]).len(), 1);
}
