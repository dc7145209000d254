//! The docker command line program. It finds the engine by `DOCKER_HOST`, contexts and default sockets.

use std::process::Command;

use crate::command;

/// A docker command.
pub(crate) fn docker() -> Command {
    let mut docker = Command::new("docker");
    // The classic builder is part of every engine; buildx is not.
    docker.env("DOCKER_BUILDKIT", "0");
    docker
}

/// The id of a local image, `None` when there is no such image.
pub(crate) fn image_id(image: &str) -> Option<String> {
    inspect(image, "{{.Id}}")
}

/// A label of a local image, `None` when there is no such image or label.
pub(crate) fn image_label(image: &str, label: &str) -> Option<String> {
    inspect(image, &format!("{{{{index .Config.Labels {label:?}}}}}"))
}

fn inspect(image: &str, format: &str) -> Option<String> {
    let text = command::output(docker().args(["image", "inspect", "--format", format, image])).ok()?;
    Some(text).filter(|text| !text.is_empty())
}
