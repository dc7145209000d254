//! The public hosts and the private network: which machine a request reaches.

use agcluster_core::provider::{Address, DestroyOptions};
use agcluster_tests::platforms::fly_machines::{APP, FlyMachinesPlatform};
use serde_json::json;

use super::{healthy, session};

#[tokio::test(flavor = "multi_thread")]
async fn the_machine_that_is_named_answers_and_no_other() {
    let platform = FlyMachinesPlatform::start().await.unwrap();
    let provider = platform.provider().unwrap();
    let ((one, one_token), (two, two_token)) = (session("one"), session("two"));
    let one = provider.create(one).await.unwrap().id;
    let two = provider.create(two).await.unwrap().id;
    let first = healthy(&*provider, &one, &one_token).await;
    let second = healthy(&*provider, &two, &two_token).await;
    assert_ne!(first.instance, second.instance);

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |header: Option<(&str, &str)>| {
        let mut request = client.get(format!("{}/health", platform.public_url(APP)));
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (
            status,
            answer
                .json::<serde_json::Value>()
                .await
                .map(|health| health["instance"].clone())
                .unwrap_or_default(),
        )
    };
    let machine = |id: &agcluster_core::provider::ContainerId| id.0.split_once(':').unwrap().1.to_owned();
    let (one_machine, two_machine) = (machine(&one), machine(&two));
    let instances = [json!(first.instance), json!(second.instance)];
    assert_eq!(ask(Some(("fly-force-instance-id", &one_machine))).await, (200, instances[0].clone()));
    assert_eq!(ask(Some(("fly-prefer-instance-id", &two_machine))).await, (200, instances[1].clone()));
    // Without a name any machine may answer, which is why agent servers take only their own token.
    let (status, any) = ask(None).await;
    assert!(status == 200 && instances.contains(&any));

    provider.stop(&two, Default::default()).await.unwrap();
    assert_eq!(ask(Some(("fly-force-instance-id", &two_machine))).await.0, 502, "it went to another machine");
    assert_eq!(ask(Some(("fly-prefer-instance-id", &two_machine))).await, (200, instances[0].clone()));
    // A stray request woke nobody.
    assert_eq!(platform.machines().iter().filter(|machine| machine["state"] == "started").count(), 1);

    // The endpoint says the same as was asked by hand.
    let endpoint = provider.endpoint(&one).await.unwrap();
    assert!(matches!(&endpoint.address, Address::Http(url) if url.as_str().contains(APP)));
    assert_eq!(endpoint.headers["fly-force-instance-id"], one_machine.as_str());
    for id in [one, two] {
        provider.destroy(&id, DestroyOptions::default()).await.unwrap();
    }
    platform.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_the_private_network_machines_are_reached_without_the_public_host() {
    let platform = FlyMachinesPlatform::start().await.unwrap();
    let provider = platform.provider_with(&json!({"reach": "private"})).unwrap();
    let (spec, token) = session("s");
    let id = provider.create(spec).await.unwrap().id;
    let endpoint = provider.endpoint(&id).await.unwrap();
    assert!(endpoint.headers.is_empty());
    assert!(
        matches!(&endpoint.address, Address::Http(url) if url.as_str().ends_with("]:3000/")),
        "{endpoint:?}"
    );
    healthy(&*provider, &id, &token).await;
    // The public host knows no service of it.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (_, machine) = id.0.split_once(':').unwrap();
    let url = format!("{}/health", platform.public_url(APP));
    let answer = client.get(url).header("fly-force-instance-id", machine).send().await.unwrap();
    assert_eq!(answer.status(), 502);
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();
    platform.stop().await.unwrap();
}
