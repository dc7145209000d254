//! What is wrong with a cloud's settings, or with the account behind them, reaches whoever launches there: with what to change, and the platform's id of
//! the request.

use agcluster_tests::platforms::cloudflare::{CloudflarePlatform, Runtime};
use agcluster_tests::platforms::fly_machines::{
    FOREIGN_APP, FlyMachinesPlatform, Full, Options as FlyOptions,
};
use agcluster_tests::platforms::vercel::{Fault, Options as VercelOptions, VercelPlatform, What};
use agcluster_tests::system::{Answer, Provider, System};
use http::Method;
use serde_json::{Value, json};

use super::{detail, launch};

/// What a launch comes to: status, problem code, and what its sentence says.
type Expected = (u16, &'static str, &'static str);

/// Launches on a platform that is configured like this.
async fn launched(platform: &str, mut config: Value, changes: &Value) -> Answer {
    config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let system = System::start_configured(Provider::Memory, &[(platform, config)], &[]).await.unwrap();
    let answer = launch(&system, json!(platform)).await;
    system.stop().await.unwrap();
    answer
}

fn check(answer: &Answer, platform: &str, (status, code, sentence): Expected) {
    let said = detail(answer);
    assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{said}");
    assert!(said.starts_with(&format!("{platform} create: ")) && said.contains(sentence), "{said}");
    assert!(said.contains(", request "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_fly_a_wrong_setting_is_named_to_who_launches() {
    let fly = FlyMachinesPlatform::start_with(FlyOptions { docker: false, ..FlyOptions::default() });
    let fly = fly.await.unwrap();
    let own_apps = json!({ "mode": "per_session", "organization": "others" });
    for (changes, expected) in [
        (json!({ "token": "fm2_wrong" }), (502, "provider_auth", "set token (FLY_API_TOKEN)")),
        (json!({ "app": "missing" }), (424, "provider_precondition", "set app (FLY_APP_NAME)")),
        (json!({ "app": FOREIGN_APP }), (502, "provider_auth", "set app (FLY_APP_NAME)")),
        (own_apps, (502, "provider_auth", "set organization (FLY_ORG)")),
        (json!({ "regions": "xyz" }), (400, "provider_invalid", "set regions (FLY_REGION)")),
    ] {
        check(&launched("fly_machines", fly.config(), &changes).await, "fly_machines", expected);
    }
    for (full, expected) in [
        (Full::NoCapacity, (503, "provider_capacity", "in iad, ord: name more regions (FLY_REGION)")),
        (Full::Quota, (429, "provider_quota", "quota is used up in iad, ord")),
    ] {
        fly.fill("iad", Some(full));
        fly.fill("ord", Some(full));
        check(&launched("fly_machines", fly.config(), &json!({})).await, "fly_machines", expected);
    }
    fly.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn at_vercel_a_wrong_setting_is_named_to_who_launches() {
    let hobby = VercelOptions { docker: false, longest_ms: 45 * 60_000, ..VercelOptions::default() };
    let vercel = VercelPlatform::start_with(hobby).await.unwrap();
    for (changes, expected) in [
        (json!({ "token": "wrong" }), (502, "provider_auth", "set token (VERCEL_TOKEN)")),
        (json!({ "team_id": "wrong" }), (502, "provider_auth", "set team_id (VERCEL_TEAM_ID)")),
        (
            json!({ "project_id": "wrong" }),
            (424, "provider_precondition", "set project_id (VERCEL_PROJECT_ID)"),
        ),
        (
            json!({ "timeout_seconds": 86_400 }),
            (429, "provider_quota", "lower timeout_seconds, and set plan"),
        ),
    ] {
        check(&launched("vercel", vercel.config(), &changes).await, "vercel", expected);
    }
    for (status, code, message, expected) in [
        (503, "unavailable", "no capacity in iad1", (503, "provider_capacity", "set failover_regions")),
        (402, "payment_required", "usage exceeded", (429, "provider_quota", "see its billing page")),
        (400, "bad_request", "Invalid region", (400, "provider_invalid", "set region and failover_regions")),
    ] {
        let what = What::Refused { status, code, message, retry_after: None };
        vercel.inject(Fault { what, ..Fault::answer_lost(Method::POST, "v3/sandboxes") });
        check(&launched("vercel", vercel.config(), &json!({})).await, "vercel", expected);
    }
    vercel.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn at_cloudflare_a_wrong_setting_is_named_to_who_launches() {
    let cloudflare = CloudflarePlatform::start_on(Runtime::Fake).await.unwrap();
    let token = json!({ "gateway_token": "another-gateway-token" });
    let expected = (502, "provider_auth", "set gateway_token (CLOUDFLARE_GATEWAY_TOKEN)");
    check(&launched("cloudflare", cloudflare.config(), &token).await, "cloudflare", expected);
    cloudflare.stop().await.unwrap();
}
