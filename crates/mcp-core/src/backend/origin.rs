//! Where a value was read, when it was true, and how complete it is.

use jiff::Timestamp;

/// A file in a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFile {
    /// The name of the bundle.
    pub bundle: String,
    /// The path inside the bundle.
    pub path: String,
    /// The size in bytes, as the bundle states it. The file may be compressed.
    pub size: u64,
    /// The modification time, as the bundle states it.
    pub modified: Option<Timestamp>,
    /// True if each read decompresses an archive again from its beginning to this file, so that many reads take long.
    pub is_packed: bool,
}

impl BundleFile {
    /// Returns true if the file is a capture of packets by its name, plain or compressed.
    pub fn is_capture(&self) -> bool {
        super::bundle::is_capture(&self.path)
    }

    /// Returns true if the file is a recording of retis or pwru by its name.
    pub fn is_event_recording(&self) -> bool {
        super::bundle::is_event_recording(&self.path)
    }
}

/// A value that was read, and where it came from.
#[derive(Clone, Debug)]
pub struct ReadValue<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
    /// Problems with the data: a truncated file, a warning on stderr.
    pub notes: Vec<String>,
}

/// One collection of data: a sosreport, or the data of a must-gather. All data in it is from about the same time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Collection {
    /// The name of the bundle.
    pub bundle: String,
    /// The folder of the sosreport in the bundle, because a bundle can contain several. It is empty for a must-gather,
    /// and if the whole bundle is the sosreport.
    pub folder: String,
}

/// Where data was read, and when it was true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file, command or query: `network_logs/ovnk_database_store/ovnkube-node-mk45n_nbdb`.
    pub what: String,
    /// When the data was collected, if the source records it.
    pub when: Option<Timestamp>,
    /// The bundle that contains the data, if the source consists of bundles.
    pub bundle: Option<String>,
    /// The collection that contains the data, if the data belongs to a node and its source consists of bundles.
    pub collection: Option<Collection>,
    /// Details for a reader who asks where an answer comes from: copies that were not read, banners that a program
    /// prints at every run.
    pub beside: Vec<String>,
    /// How complete the data is.
    pub extent: Extent,
}

/// How much of the cluster's data a source returned. The absence of a row from partial data proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// Everything that the cluster had at that time.
    #[default]
    Whole,
    /// A part that was collected; the cluster may have had more.
    Part,
    /// The readable part of a damaged file.
    Damaged,
}

impl Origin {
    /// An origin without a bundle or further details, of [`Extent::Whole`].
    pub fn new(what: impl Into<String>, when: Option<Timestamp>) -> Self {
        Self {
            what: what.into(),
            when,
            bundle: None,
            collection: None,
            beside: Vec::new(),
            extent: Extent::Whole,
        }
    }

    /// Sets the bundle.
    pub(crate) fn in_bundle(self, bundle: impl Into<String>) -> Self {
        Self { bundle: Some(bundle.into()), ..self }
    }

    /// Sets the collection, and the bundle that contains it.
    pub(crate) fn in_collection(self, collection: Collection) -> Self {
        Self { collection: Some(collection.clone()), ..self.in_bundle(collection.bundle) }
    }

    /// Sets the further details.
    pub(crate) fn beside(self, beside: Vec<String>) -> Self {
        Self { beside, ..self }
    }

    /// Sets the extent.
    pub(crate) fn with_extent(self, extent: Extent) -> Self {
        Self { extent, ..self }
    }

    /// The data with its bundle and its time.
    pub(crate) fn dated(&self) -> String {
        let bundle = self.bundle.as_deref().filter(|bundle| !self.what.ends_with(bundle));
        let bundle = bundle.map(|bundle| format!(" in {bundle}")).unwrap_or_default();
        format!("{}{bundle}, {}", self.what, self.time())
    }

    /// The time, to the second.
    pub(crate) fn time(&self) -> String {
        match self.when {
            Some(when) => when.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            None => "time unknown".into(),
        }
    }
}
