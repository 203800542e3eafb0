//! A kubeconfig file that leads through the gateway.

use std::path::Path;

use serde_json::{Value as Json, json};

/// What a kubeconfig file is made of.
#[derive(Debug)]
pub(super) struct Contents<'a> {
    /// `host:port` of the gateway as people reach it.
    pub(super) host_and_port: &'a str,
    /// The CA of the gateway's certificate, in PEM; absent where the system already trusts it.
    pub(super) ca_pem: Option<&'a [u8]>,
    /// One context each.
    pub(super) clusters: &'a [String],
    /// How kubectl proves who it is.
    pub(super) token: Token<'a>,
}

/// How kubectl proves who it is.
#[derive(Debug)]
pub(super) enum Token<'a> {
    /// Not yet: the file says how to get one.
    Placeholder,
    /// This token.
    Inline(&'a str),
    /// kubectl reads it from this file.
    File(&'a Path),
}

impl Contents<'_> {
    /// The file as kubectl reads it. JSON values are YAML, so that no text in it can break out of its quotes.
    pub(super) fn render(&self) -> String {
        let user = match self.token {
            Token::Placeholder => json!({ "token": "log-in-and-put-your-token-here" }),
            Token::Inline(token) => json!({ "token": token }),
            Token::File(path) => json!({ "tokenFile": path }),
        };
        let contexts: Vec<Json> = self
            .clusters
            .iter()
            .map(|id| json!({ "name": id, "context": { "cluster": id, "user": "gatewarden" } }))
            .collect();
        let clusters: Vec<Json> =
            self.clusters.iter().map(|id| json!({ "name": id, "cluster": self.cluster(id) })).collect();
        let users = json!([{ "name": "gatewarden", "user": user }]);
        let mut text = String::new();
        if matches!(self.token, Token::Placeholder) {
            text.push_str(&self.how_to_log_in());
        }
        text.push_str("apiVersion: v1\nkind: Config\n");
        for (key, value) in [
            ("current-context", json!(self.clusters.first())),
            ("clusters", json!(clusters)),
            ("contexts", json!(contexts)),
            ("users", users),
        ] {
            text.push_str(&format!("{key}: {value}\n"));
        }
        text
    }

    fn cluster(&self, id: &str) -> Json {
        let server = format!("https://{}/k8s/clusters/{id}", self.host_and_port);
        match self.ca_pem {
            Some(pem) => {
                json!({ "server": server, "certificate-authority-data": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pem) })
            }
            None => json!({ "server": server }),
        }
    }

    fn how_to_log_in(&self) -> String {
        format!(
            "# Log in, and put the `token` of the answer below:\n\
             #   curl --cacert ca.crt https://{}/api/v1/providers/<provider>/login \\\n\
             #     -H 'Content-Type: application/json' -d '{{\"username\": \"…\", \"password\": \"…\"}}'\n\
             # or write it to a file, and ask for this kubeconfig with --token-file.\n",
            self.host_and_port
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_names_the_cluster_path_the_ca_and_the_token() {
        let clusters = ["east".to_owned(), "west".to_owned()];
        let contents = Contents {
            host_and_port: "gw.test:8443",
            ca_pem: Some(b"PEM"),
            clusters: &clusters,
            token: Token::Inline("gwt-a:b\"\n"),
        };
        let read: Json = serde_saphyr::from_str(&contents.render()).unwrap();
        assert_eq!(read["current-context"], "east");
        assert_eq!(read["clusters"][1]["cluster"]["server"], "https://gw.test:8443/k8s/clusters/west");
        assert_eq!(read["clusters"][1]["cluster"]["certificate-authority-data"], "UEVN");
        assert_eq!(read["contexts"][1]["context"]["user"], read["users"][0]["name"]);
        assert_eq!(read["users"][0]["user"]["token"], "gwt-a:b\"\n");
    }

    #[test]
    fn without_a_token_the_file_says_how_to_get_one() {
        let clusters = ["east".to_owned()];
        let contents =
            Contents { host_and_port: "gw.test", ca_pem: None, clusters: &clusters, token: Token::Placeholder };
        let text = contents.render();
        assert!(text.contains("https://gw.test/api/v1/providers/<provider>/login"));
        serde_saphyr::from_str::<Json>(&text).unwrap();
    }
}
