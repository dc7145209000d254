//! The methods of a provider, by name.

/// A method of [`ContainerProvider`](crate::provider::ContainerProvider) that asks the platform something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the method of that name")]
pub enum Operation {
    Probe,
    Create,
    Inspect,
    List,
    Endpoint,
    Stop,
    Destroy,
    Start,
    Pause,
    Resume,
    Snapshot,
    Restore,
    Fork,
    Extend,
    Logs,
    Stats,
    Exec,
    ReadArchive,
    WriteArchive,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Probe,
        Self::Create,
        Self::Inspect,
        Self::List,
        Self::Endpoint,
        Self::Stop,
        Self::Destroy,
        Self::Start,
        Self::Pause,
        Self::Resume,
        Self::Snapshot,
        Self::Restore,
        Self::Fork,
        Self::Extend,
        Self::Logs,
        Self::Stats,
        Self::Exec,
        Self::ReadArchive,
        Self::WriteArchive,
    ];

    /// As in [`Error::operation`](crate::provider::Error::operation): `create`, `read_archive`, ….
    pub fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Create => "create",
            Self::Inspect => "inspect",
            Self::List => "list",
            Self::Endpoint => "endpoint",
            Self::Stop => "stop",
            Self::Destroy => "destroy",
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Snapshot => "snapshot",
            Self::Restore => "restore",
            Self::Fork => "fork",
            Self::Extend => "extend",
            Self::Logs => "logs",
            Self::Stats => "stats",
            Self::Exec => "exec",
            Self::ReadArchive => "read_archive",
            Self::WriteArchive => "write_archive",
        }
    }

    /// Whether a call whose answer was lost may be made again.
    ///
    /// `create`, `restore` and `fork` may, for one reason only: the name of what they make follows from session and generation, and
    /// a container of that name is adopted. `exec` may have run its command, `snapshot` may have made one, and the stream
    /// of `write_archive` is used up: these are never made again by a layer.
    pub fn is_repeatable(self) -> bool {
        !matches!(self, Self::Exec | Self::Snapshot | Self::WriteArchive)
    }
}
