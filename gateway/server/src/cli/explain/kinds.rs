//! The kinds that every cluster has, so that they may be written as kubectl's users write them.
//!
//! kubectl learns from the cluster which kinds there are. Here a table does: whoever asks about a kind of the site's own
//! writes its group.

/// A kind that every cluster has, with its short names.
pub(super) struct Kind {
    pub(super) plural: &'static str,
    short: &'static [&'static str],
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) namespaced: bool,
}

/// The kind that goes by this word, of this group where one was named.
pub(super) fn find(word: &str, group: Option<&str>) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.is(word) && group.is_none_or(|group| kind.group == group))
}

impl Kind {
    const fn of(plural: &'static str, short: &'static [&'static str], group: &'static str) -> Self {
        Self { plural, short, group, version: "v1", namespaced: true }
    }

    const fn wide(plural: &'static str, short: &'static [&'static str], group: &'static str) -> Self {
        Self { namespaced: false, ..Self::of(plural, short, group) }
    }

    /// By its plural, its singular or a short name.
    fn is(&self, text: &str) -> bool {
        let singular = |ending: &str, put: &str| {
            self.plural.strip_suffix(ending).is_some_and(|stem| format!("{stem}{put}") == text)
        };
        self.plural == text
            || self.short.contains(&text)
            || singular("s", "")
            || singular("es", "")
            || singular("ies", "y")
    }
}

const RBAC: &str = "rbac.authorization.k8s.io";

const KINDS: &[Kind] = &[
    Kind::of("pods", &["po"], ""),
    Kind::of("services", &["svc"], ""),
    Kind::of("configmaps", &["cm"], ""),
    Kind::of("secrets", &[], ""),
    Kind::of("endpoints", &["ep"], ""),
    Kind::of("events", &["ev"], ""),
    Kind::of("serviceaccounts", &["sa"], ""),
    Kind::of("persistentvolumeclaims", &["pvc"], ""),
    Kind::of("replicationcontrollers", &["rc"], ""),
    Kind::of("resourcequotas", &["quota"], ""),
    Kind::of("limitranges", &["limits"], ""),
    Kind::wide("nodes", &["no"], ""),
    Kind::wide("namespaces", &["ns"], ""),
    Kind::wide("persistentvolumes", &["pv"], ""),
    Kind::of("deployments", &["deploy"], "apps"),
    Kind::of("replicasets", &["rs"], "apps"),
    Kind::of("statefulsets", &["sts"], "apps"),
    Kind::of("daemonsets", &["ds"], "apps"),
    Kind::of("jobs", &[], "batch"),
    Kind::of("cronjobs", &["cj"], "batch"),
    Kind { version: "v2", ..Kind::of("horizontalpodautoscalers", &["hpa"], "autoscaling") },
    Kind::of("poddisruptionbudgets", &["pdb"], "policy"),
    Kind::of("ingresses", &["ing"], "networking.k8s.io"),
    Kind::of("networkpolicies", &["netpol"], "networking.k8s.io"),
    Kind::wide("ingressclasses", &[], "networking.k8s.io"),
    Kind::of("endpointslices", &[], "discovery.k8s.io"),
    Kind::of("leases", &[], "coordination.k8s.io"),
    Kind::of("roles", &[], RBAC),
    Kind::of("rolebindings", &[], RBAC),
    Kind::wide("clusterroles", &[], RBAC),
    Kind::wide("clusterrolebindings", &[], RBAC),
    Kind::wide("storageclasses", &["sc"], "storage.k8s.io"),
    Kind::wide("priorityclasses", &["pc"], "scheduling.k8s.io"),
    Kind::wide("certificatesigningrequests", &["csr"], "certificates.k8s.io"),
    Kind::wide("customresourcedefinitions", &["crd", "crds"], "apiextensions.k8s.io"),
];
