//! Who is in the directory, for these cases.
//!
//! alice is in payments, which is in backend, which is in dev; carol is in ops; dave is in no group and has no grant;
//! the clusters let erin act as anybody. Everybody's password is their name and `-secret`.

/// A person with a name outside ASCII.
pub(crate) const KOREAN: &str = "이영희";

/// The password of a person of the directory.
pub(crate) fn password(person: &str) -> String {
    match person {
        KOREAN => "younghee-secret".to_owned(),
        other => format!("{other}-secret"),
    }
}

/// What the clusters' own administrators bound to the directory's names.
pub(crate) const EAST: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: dev}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: team, namespace: dev}
rules:
- {apiGroups: [""], resources: [pods, pods/log], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [pods/exec, pods/attach, pods/portforward], verbs: [get, create]}
- {apiGroups: [""], resources: [configmaps], verbs: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: dev-team, namespace: dev}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: team}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: "corp:dev"}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: "sso:dev"}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: "corp:jsmith"}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: dev}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: "corp:ops"}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: "corp:erin"}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: namespace-readers}
rules: [{apiGroups: [""], resources: [namespaces], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: namespace-readers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: namespace-readers}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "corp:dev"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: act-as-jane}
rules:
- {apiGroups: [""], resources: [users], resourceNames: [jane], verbs: [impersonate]}
- {apiGroups: [""], resources: [groups], resourceNames: [qa], verbs: [impersonate]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: act-as-jane}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: act-as-jane}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "corp:dev"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: act-as-anybody}
rules: [{apiGroups: [""], resources: [users, groups, serviceaccounts], verbs: [impersonate]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: act-as-anybody}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: act-as-anybody}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "corp:erin"}]
"#;

/// The west cluster lets the same group only read.
pub(crate) const WEST: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: dev}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: dev}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "corp:dev"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: act-as-anybody}
rules: [{apiGroups: [""], resources: [users, groups, serviceaccounts], verbs: [impersonate]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: act-as-anybody}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: act-as-anybody}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "corp:erin"}]
"#;

/// A pod that ticks, serves a page, and takes commands.
pub(crate) fn pod(name: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: dev}}
spec:
  nodeName: localhost
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: docker.io/testbed/busybox:1
    imagePullPolicy: Never
    stdin: true
    command:
    - sh
    - -c
    - >-
      echo started; echo hello-from-pod > /srv/index.html; httpd -p 8080 -h /srv;
      i=0; while :; do echo tick $i; i=$((i+1)); sleep 1; done
"#
    )
}
