//! Providers by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ContainerProvider, Error, ErrorKind, Result, read_config};

/// Makes a provider from its configuration.
pub type Builder = Arc<dyn Fn(Value) -> BoxFuture<'static, Result<Arc<dyn ContainerProvider>>> + Send + Sync>;

/// Knows how to make providers, by platform name. An application registers those it was built with, and its own.
#[derive(Clone, Default)]
pub struct ProviderFactory {
    builders: BTreeMap<String, Builder>,
    environments: BTreeMap<String, Variables>,
}

/// Environment variables, each with the path of the configuration field that it stands for: `("X_TOKEN", "token")`.
type Variables = &'static [(&'static str, &'static str)];

impl ProviderFactory {
    /// A factory that knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a platform. A name that is known already is taken over.
    pub fn register<F, Fut>(&mut self, platform: impl Into<String>, build: F) -> &mut Self
    where
        F: Fn(Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Arc<dyn ContainerProvider>>> + Send + 'static,
    {
        self.builders.insert(platform.into(), Arc::new(move |config| Box::pin(build(config))));
        self
    }

    /// Registers a platform whose configuration has a type, which is read strictly: see [`read_config`]. `make` contacts nobody.
    pub fn register_configured<C, P>(
        &mut self,
        platform: &'static str,
        make: impl Fn(C) -> Result<P> + Send + Sync + 'static,
    ) -> &mut Self
    where
        C: DeserializeOwned + Default,
        P: ContainerProvider,
    {
        self.register(platform, move |config| {
            let made = read_config(platform, config).and_then(&make);
            async move { Ok(Arc::new(made?) as Arc<dyn ContainerProvider>) }
        })
    }

    /// Says which variables of the environment stand for fields of a platform's configuration (`limits.memory` for a field in another). An
    /// application fills them in before [`create`](Self::create); the factory itself reads no environment.
    pub fn register_environment(&mut self, platform: impl Into<String>, variables: Variables) -> &mut Self {
        self.environments.insert(platform.into(), variables);
        self
    }

    /// What [`register_environment`](Self::register_environment) said of a platform.
    pub fn environment(&self, platform: &str) -> &'static [(&'static str, &'static str)] {
        self.environments.get(platform).copied().unwrap_or_default()
    }

    /// The names it knows, sorted.
    pub fn platforms(&self) -> Vec<&str> {
        self.builders.keys().map(String::as_str).collect()
    }

    /// Whether it knows a name.
    pub fn knows(&self, platform: &str) -> bool {
        self.builders.contains_key(platform)
    }

    /// Makes a provider. `config` is what the platform's own documentation describes; `null` means its defaults.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an unknown name, listing the known ones; otherwise the platform's.
    pub async fn create(&self, platform: &str, config: Value) -> Result<Arc<dyn ContainerProvider>> {
        let Some(build) = self.builders.get(platform) else {
            return Err(unknown_platform(platform, &self.platforms()));
        };
        build(config).await
    }
}

/// The error for a platform that nobody registered.
fn unknown_platform(platform: &str, known: &[&str]) -> Error {
    let message = format!("there is no provider {platform:?}; available: {}", known.join(", "));
    Error::new(ErrorKind::Invalid, "factory", "create", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unknown_platform_is_an_error_that_lists_the_known_ones() {
        let mut factory = ProviderFactory::new();
        for name in ["vercel", "docker"] {
            factory.register(name, |_| async {
                Err(Error::new(ErrorKind::Unavailable, "test", "create", "no"))
            });
        }
        let error = factory.create("dokcer", Value::Null).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(error.message(), "there is no provider \"dokcer\"; available: docker, vercel");
    }

    #[tokio::test]
    async fn a_known_platform_gets_its_configuration() {
        let mut factory = ProviderFactory::new();
        factory.register("echo", |config| async move {
            Err(Error::new(ErrorKind::Precondition, "echo", "create", config.to_string()))
        });
        let error = factory.create("echo", serde_json::json!({"a": 1})).await.unwrap_err();
        assert_eq!(error.message(), "{\"a\":1}");
    }
}
