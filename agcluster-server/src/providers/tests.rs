use agcluster_core::layers::Stack;
use agcluster_providers::memory::MemoryProvider;
use clap::Parser;
use serde_json::json;
use tempfile::TempDir;

use super::*;

/// A factory of platforms that answer with the configuration they were given.
fn factory() -> ProviderFactory {
    let mut factory = ProviderFactory::new();
    agcluster_providers::memory::register(&mut factory);
    factory.register("cloud", |config: Value| async move {
        let refused = |message: String| Error::new(ErrorKind::Invalid, "cloud", "configure", message);
        match config["token"].as_str() {
            Some("good") => Ok(Stack::of(Arc::new(MemoryProvider::default())).build()),
            Some(_) => Err(refused(format!("token: refused; config {}", config["limits"]))),
            None => Err(refused("token: set it, or CLOUD_TOKEN in the environment".to_owned())),
        }
    });
    factory.register_environment("cloud", &[("CLOUD_TOKEN", "token"), ("CLOUD_SIZE", "limits.size")]);
    factory
}

fn settings(line: &[&str], folder: &TempDir, environment: &[(&str, &str)]) -> Settings {
    let folder = folder.path().display().to_string();
    let all = ["agcluster-server", "--provider-configs", &folder].into_iter().chain(line.iter().copied());
    let environment = environment.iter().copied().collect();
    Settings { environment, ..Settings::try_parse_from(all).unwrap() }
}

async fn made(line: &[&str], file: Option<&str>, environment: &[(&str, &str)]) -> Result<ProviderSet> {
    let folder = tempfile::tempdir().unwrap();
    if let Some(text) = file {
        std::fs::write(folder.path().join("cloud.yaml"), text).unwrap();
    }
    providers_of(&factory(), &settings(line, &folder, environment)).await
}

fn missing<'a>(set: &'a ProviderSet, name: &str) -> &'a str {
    set.missing().find(|(other, _)| *other == name).unwrap().1
}

const MEMORY: [&str; 1] = ["--container-provider=memory"];

#[tokio::test]
async fn a_platform_that_lacks_something_says_what_and_keeps_nobody_from_starting() {
    let set = made(&MEMORY, None, &[]).await.unwrap();
    assert_eq!(missing(&set, "cloud"), "token: set it, or CLOUD_TOKEN in the environment");
    assert_eq!(set.default_names(), ["memory"]);
    let set = made(&MEMORY, Some("token: ${CLOUD_KEY}"), &[]).await.unwrap();
    let said = missing(&set, "cloud");
    assert!(
        said.starts_with("cloud.yaml: token needs the environment variable CLOUD_KEY, which is not set"),
        "{said}"
    );
    for broken in ["limits: 1\ntoken: [s3cret-value", "token: s3cret-value\ntoken: again", "- s3cret-value"] {
        let set = made(&MEMORY, Some(broken), &[]).await.unwrap();
        let said = missing(&set, "cloud");
        assert!(said.starts_with("cloud.yaml: it is not valid") && !said.contains("s3cret"), "{said}");
    }
}

#[tokio::test]
async fn a_platform_is_taken_from_its_file_or_from_the_environment() {
    for (file, environment) in [
        (Some("token: good"), &[][..]),
        (Some("token: ${KEY:-bad}"), &[("KEY", "good")]),
        (Some("token: ${NOT_SET}"), &[("CLOUD_TOKEN", "good")]),
        (None, &[("CLOUD_TOKEN", "good")]),
    ] {
        let set = made(&["--container-provider=cloud"], file, environment).await.unwrap();
        assert!(set.get("cloud").is_ok(), "{:?}", set.missing().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_field_in_another_is_filled_in_and_what_is_for_the_layers_is_not_the_platforms() {
    let file = "token: bad\nlimits: { other: 1 }\nlayers: { concurrency: 3 }";
    let error =
        made(&["--container-provider=cloud"], Some(file), &[("CLOUD_SIZE", "big")]).await.unwrap_err();
    assert_eq!(error.message(), r#"token: refused; config {"other":1,"size":"big"}"#);
    let error = made(&["--container-provider=cloud"], Some("layers: { speed: 9 }"), &[]).await.unwrap_err();
    assert!(error.message().starts_with("layers of cloud: unknown field `speed`"), "{error}");
}

#[tokio::test]
async fn what_is_named_must_be_fit_to_use() {
    for line in [
        &["--container-provider=cloud"][..],
        &["--container-provider=memory,cloud"],
        &["--container-provider=memory", "--providers=cloud"],
    ] {
        assert_eq!(made(line, None, &[]).await.unwrap_err().platform(), "cloud", "{line:?}");
    }
    let error = made(&["--container-provider=memory,colud"], None, &[]).await.unwrap_err();
    assert_eq!(error.message(), "there is no provider \"colud\"; available: cloud, memory");
    let error = made(&["--container-provider= ,"], None, &[]).await.unwrap_err();
    assert!(error.message().contains("write one of cloud, memory"), "{error}");
}

#[tokio::test]
async fn what_isolates_nothing_must_be_named() {
    let mut factory = factory();
    factory.register("process", |_| async { Ok(Stack::of(Arc::new(MemoryProvider::default())).build()) });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("process.yaml"), json!({}).to_string()).unwrap();
    let set = providers_of(&factory, &settings(&MEMORY, &folder, &[])).await.unwrap();
    assert!(missing(&set, "process").contains("add process to AGCLUSTER_PROVIDERS"));
}

#[test]
fn an_environment_shows_names_only() {
    let environment: Environment = [("TOKEN", "s3cret")].into_iter().collect();
    assert_eq!(format!("{environment:?}"), r#"{"TOKEN"}"#);
}

/// The files that come with the server are read by it, whatever its environment: with what they need, or by naming it.
#[test]
fn the_files_of_this_repository_can_be_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/providers");
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if let Err(error) = config::find(&folder, name, &[], &Environment::default()) {
            assert!(error.message().contains("needs the environment variable"), "{error}");
        }
    }
}

/// With the variables that the clouds' own tools know, and the files that come with the server, a cloud is there; with only some of them, it says which one is
/// missing.
#[tokio::test]
async fn the_usual_variables_of_the_clouds_are_enough() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/providers");
    let folder = folder.display().to_string();
    let line = ["agcluster-server", "--container-provider=memory", "--provider-configs", &folder];
    let fly = [("FLY_API_TOKEN", "fm2_t"), ("FLY_APP_NAME", "agents"), ("FLY_REGION", "iad,fra")];
    let vercel = [("VERCEL_TOKEN", "t"), ("VERCEL_TEAM_ID", "team_x"), ("VERCEL_PROJECT_ID", "prj_y")];
    let gateway = [
        ("CLOUDFLARE_GATEWAY_URL", "https://gateway.example"),
        ("CLOUDFLARE_GATEWAY_TOKEN", "0123456789abcdef"),
    ];
    // What deploys the gateway does not start containers.
    let deploying =
        [("CLOUDFLARE_API_TOKEN", "t"), ("CLOUDFLARE_ACCOUNT_ID", "a"), ("CLOUDFLARE_NAMESPACE_ID", "n")];
    for (name, variables, lacks) in [
        ("fly_machines", &fly[..], None),
        ("fly_machines", &fly[..1], Some("FLY_APP_NAME")),
        ("fly_machines", &fly[1..], Some("FLY_API_TOKEN")),
        ("vercel", &vercel[..], None),
        ("vercel", &[("VERCEL_OIDC_TOKEN", "e30.eyJvd25lcl9pZCI6InQiLCJwcm9qZWN0X2lkIjoicCJ9.s")], None),
        ("vercel", &vercel[..2], Some("VERCEL_PROJECT_ID")),
        ("vercel", &[], Some("VERCEL_TOKEN")),
        ("cloudflare", &gateway[..], None),
        ("cloudflare", &gateway[..1], Some("CLOUDFLARE_GATEWAY_TOKEN")),
        ("cloudflare", &deploying[..], Some("CLOUDFLARE_GATEWAY_URL")),
    ] {
        let environment = variables.iter().copied().collect();
        let settings = Settings { environment, ..Settings::try_parse_from(line).unwrap() };
        let set = providers(&settings).await.unwrap();
        let said = set.missing().find(|(other, _)| *other == name).map(|(_, missing)| missing);
        match lacks {
            None => assert!(set.get(name).is_ok(), "{name}: {said:?}"),
            Some(variable) => assert!(said.unwrap().contains(variable), "{name}: {said:?}"),
        }
    }
}
