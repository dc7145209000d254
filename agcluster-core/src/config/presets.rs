//! The configurations that every build brings along, so that a lone binary has them.

/// The documents of the presets.
pub(super) const DOCUMENTS: [&str; 5] = [
    include_str!("../../../configs/presets/code-assistant.yaml"),
    include_str!("../../../configs/presets/data-analysis.yaml"),
    include_str!("../../../configs/presets/fullstack-team.yaml"),
    include_str!("../../../configs/presets/github-code-review.yaml"),
    include_str!("../../../configs/presets/research-agent.yaml"),
];
