//! The agent image: built when one of its inputs has changed.

mod inputs;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::command::{self, announce};
use crate::docker::{self, docker};
use crate::environment::{base_image, claude, engine};
use crate::programs::Programs;
use crate::workspace;
use inputs::Inputs;

/// Hash of the inputs that an image was built from.
const INPUTS_LABEL: &str = "agcluster.image.inputs";
/// Name of the base that an image was built on.
const BASE_LABEL: &str = "agcluster.image.base";

/// What is in the image besides the agent and everyday tools.
#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum Variant {
    /// Nothing more.
    #[default]
    Default,
    /// Python packages for data analysis.
    Data,
}

impl Variant {
    fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Data => "data",
        }
    }

    fn tag(self) -> &'static str {
        match self {
            Self::Default => "agcluster/agent:latest",
            Self::Data => "agcluster/agent:data",
        }
    }
}

/// Which image to build, and how.
#[derive(Default)]
pub(crate) struct Order {
    /// What is in it.
    pub(crate) variant: Variant,
    /// The image to build on; `None` for the one the present image has, or else a Debian one.
    pub(crate) base: Option<String>,
    /// Whether to build even when nothing has changed, without any layer of before.
    pub(crate) fresh: bool,
}

/// Makes sure that the agent image is there and up to date, and answers the programs that are in it.
///
/// # Errors
/// Says what to install or do when something is missing; or when the build fails.
pub(crate) fn build(order: &Order) -> Result<Programs> {
    engine::require()?;
    let programs = Programs::require()?;
    let tag = order.variant.tag();
    // An operator who chose a base once need not repeat it.
    let before = docker::image_label(tag, BASE_LABEL).filter(|base| docker::image_id(base).is_some());
    let base = base_image::require(order.base.as_deref().or(before.as_deref()))?;
    let dockerfile = workspace::root().join("docker/agent.Dockerfile");

    let inputs = Inputs {
        dockerfile: read(&dockerfile)?,
        agent: read(&programs.agent)?,
        agent_version: workspace::version_of("agcluster-agent")?,
        claude_version: claude::VERSION,
        base: docker::image_id(&base).with_context(|| format!("there is no image {base}"))?,
        variant: order.variant.name(),
    };
    let hash = inputs.hash();
    if !order.fresh && docker::image_label(tag, INPUTS_LABEL).as_deref() == Some(&hash) {
        return Ok(programs);
    }

    announce(&format!("Building {tag} on {base}"));
    let context = tempfile::Builder::new().prefix("image-context-").tempdir_in(workspace::target()?)?;
    put(&programs.agent, &context.path().join("agcluster-agent"))?;
    put(&programs.claude, &context.path().join("claude"))?;
    let mut build = docker();
    // The host's network: where Debian packages are reached from is the host's affair.
    build.args(["build", "--network", "host", "--force-rm", "--tag", tag]);
    if order.fresh {
        build.arg("--no-cache");
    }
    for (name, value) in
        [("BASE", base.as_str()), ("VARIANT", inputs.variant), ("AGENT_VERSION", &inputs.agent_version)]
    {
        build.args(["--build-arg", &format!("{name}={value}")]);
    }
    for (name, value) in [(INPUTS_LABEL, &hash), (BASE_LABEL, &base)] {
        build.args(["--label", &format!("{name}={value}")]);
    }
    let before = docker::image_id(tag);
    command::run(build.arg("--file").arg(&dockerfile).arg(context.path()))?;
    if let Some(before) = before.filter(|before| docker::image_id(tag).as_ref() != Some(before)) {
        // The engine refuses while a container still uses it: then it stays.
        let _ = command::output(docker().args(["image", "rm", &before]));
    }
    Ok(programs)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Puts an executable file into the build context, without a second copy of its bytes where that is possible.
fn put(from: &Path, to: &Path) -> Result<()> {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
        // The classic builder keeps the modes of the context.
        fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
