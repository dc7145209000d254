use agcluster_protocol::Secret;
use serde_json::json;

use super::*;
use crate::config::ConfigFolder;
use crate::store::{MemoryStore, Retention};

fn owner(key: &str) -> Owner {
    Owner::of(&Secret::new(key))
}

fn read(document: Value) -> ReadConfig {
    AgentConfig::from_json(document).unwrap()
}

async fn catalog(store: &MemoryStore, folder: &std::path::Path) -> ConfigCatalog {
    let files = ConfigStore::open(vec![ConfigFolder::operator(folder)]).await;
    let journal = Journal::new(Arc::new(store.clone()), Retention::default());
    ConfigCatalog::open(files, journal).await.unwrap()
}

#[tokio::test]
async fn what_is_saved_is_there_for_its_owner_alone_and_after_a_restart() {
    let (store, folder) = (MemoryStore::new(), tempfile::tempdir().unwrap());
    let (mine, yours) = (owner("mine"), owner("yours"));
    let first = catalog(&store, folder.path()).await;
    first.save(mine, read(json!({"id": "a", "name": "Mine"})), Saving::New).await.unwrap();
    first
        .save(yours, read(json!({"id": "a", "name": "Yours", "allowed_tools": []})), Saving::New)
        .await
        .unwrap();
    let second = catalog(&store, folder.path()).await;
    for catalog in [first, second] {
        assert_eq!(catalog.get(Some(&mine), "a").unwrap().config.name, "Mine");
        assert_eq!(catalog.get(Some(&mine), "a").unwrap().config.allowed_tools, None, "left to the defaults");
        assert_eq!(catalog.get(Some(&yours), "a").unwrap().config.allowed_tools, Some(Vec::new()));
        assert!(matches!(catalog.get(None, "a"), Err(ConfigLookupError::NotFound(_))));
        assert_eq!(catalog.list_own(&mine).len(), 1);
        assert_eq!(catalog.list(Some(&mine)).len(), 6, "with the presets");
        catalog.remove(mine, "a", None).await.unwrap_or_default();
    }
    let third = catalog(&store, folder.path()).await;
    assert!(third.list_own(&mine).is_empty() && third.list_own(&yours).len() == 1);
}

#[tokio::test]
async fn nothing_is_hidden_by_what_an_owner_saves() {
    let (store, folder) = (MemoryStore::new(), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("ours.yaml"), "id: ours\nname: Ours").unwrap();
    std::fs::write(folder.path().join("broken.yaml"), "id: broken").unwrap();
    let catalog = catalog(&store, folder.path()).await;
    for id in ["code-assistant", "ours", "broken", "validate", "inline-1"] {
        let saved = catalog.save(owner("k"), read(json!({"id": id, "name": "X"})), Saving::Anyhow).await;
        assert_eq!(saved.unwrap_err(), CatalogError::Reserved(id.to_owned()));
    }
    for (id, word) in [("code-assistant", "preset"), ("ours", "operator's"), ("none", "not found")] {
        let message = catalog.remove(owner("k"), id, None).await.unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    }
    catalog.save(owner("k"), read(json!({"id": "later", "name": "Own"})), Saving::New).await.unwrap();
    std::fs::write(folder.path().join("later.yaml"), "id: later\nname: File").unwrap();
    catalog.files().reload().await;
    assert_eq!(catalog.get(Some(&owner("k")), "later").unwrap().config.name, "Own");
    assert_eq!(catalog.get(None, "later").unwrap().config.name, "File");
    let again = read(json!({"id": "later", "name": "Own again"}));
    assert!(catalog.save(owner("k"), again, Saving::Replacing(None)).await.is_ok());
}

#[tokio::test]
async fn a_change_of_what_somebody_else_changed_meanwhile_is_refused() {
    let (store, folder) = (MemoryStore::new(), tempfile::tempdir().unwrap());
    let catalog = catalog(&store, folder.path()).await;
    let document = |name: &str| read(json!({"id": "a", "name": name}));
    let first = catalog.save(owner("k"), document("1"), Saving::New).await.unwrap();
    let revision = first.config.revision();
    let exists = catalog.save(owner("k"), document("2"), Saving::New).await.unwrap_err();
    assert_eq!(exists, CatalogError::Exists("a".into()));
    let second = catalog.save(owner("k"), document("2"), Saving::Replacing(Some(&revision))).await.unwrap();
    assert_eq!(second.config.created_at, first.config.created_at);
    let changed = catalog.save(owner("k"), document("3"), Saving::Replacing(Some(&revision))).await;
    assert_eq!(changed.unwrap_err(), CatalogError::Changed("a".into()));
    assert!(matches!(catalog.remove(owner("k"), "a", Some(&revision)).await, Err(CatalogError::Changed(_))));
    let absent =
        catalog.save(owner("k"), read(json!({"id": "b", "name": "B"})), Saving::Replacing(None)).await;
    assert!(matches!(absent, Err(CatalogError::NotFound(_))));
}

#[tokio::test]
async fn no_secret_and_nothing_too_large_or_too_much_is_kept() {
    let (store, folder) = (MemoryStore::new(), tempfile::tempdir().unwrap());
    let catalog = catalog(&store, folder.path()).await;
    let secret = read(json!({"id": "a", "name": "A", "env": {"API_TOKEN": "hush"}}));
    let refused = catalog.save(owner("k"), secret, Saving::New).await.unwrap_err();
    assert!(
        matches!(refused, CatalogError::Secrets(_)) && !refused.to_string().contains("hush"),
        "{refused}"
    );
    let large = read(json!({"id": "a", "name": "A", "system_prompt": "x".repeat(MAX_DOCUMENT)}));
    assert_eq!(
        catalog.save(owner("k"), large, Saving::New).await.unwrap_err(),
        CatalogError::TooLarge(MAX_DOCUMENT)
    );
    for number in 0..OF_ONE {
        let config = read(json!({"id": format!("c{number}"), "name": "C"}));
        catalog.save(owner("k"), config, Saving::New).await.unwrap();
    }
    let config = |id: &str| read(json!({"id": id, "name": "C"}));
    assert_eq!(catalog.save(owner("k"), config("more"), Saving::New).await.unwrap_err(), CatalogError::Quota);
    assert!(catalog.save(owner("k"), config("c1"), Saving::Anyhow).await.is_ok(), "no more than before");
    assert!(catalog.save(owner("other"), config("more"), Saving::New).await.is_ok());
}
