//! One cluster that was there before us: asked before anything is changed, and left as it was.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::Kubectl;
use crate::state::write_private;

use super::member::Member;
use super::narrator::Narrator;
use super::{Stage, pair};

/// All that was applied, so that it can be taken back.
const APPLIED: &str = "applied.yaml";
/// The path of the kubeconfig by which it was.
const KUBECONFIG: &str = "applied-by";

const NAMESPACES: [&str; 2] = ["gatewarden", "gatewarden-demo"];

pub(super) fn stage(narrator: &mut Narrator, dir: &Path, kubeconfig: &Path) -> Result<Stage> {
    narrator.step("Your cluster");
    let kubeconfig = kubeconfig.canonicalize().with_context(|| format!("read {}", kubeconfig.display()))?;
    let member = member(dir, &kubeconfig)?;
    narrator.tell(&format!("{} names {}", kubeconfig.display(), member.server));
    for namespace in NAMESPACES {
        let there = member.admin.run(&["get", "namespace", namespace])?.success();
        ensure!(!there, "it has a namespace {namespace} already; the demo would change what is in it");
    }
    narrator.step("Two accounts for the gateway, and a namespace for the demo");
    narrator.tell("One account may impersonate and nothing else, the other may ask what people may do.");
    let manifests = [member.manifests()?, vec![pair::data("yours.yaml")]].concat();
    for manifest in &manifests {
        narrator.show_file(manifest)?;
    }
    if !narrator.ask(&format!("Apply these to {}?", member.server))? {
        bail!("nothing was changed");
    }
    remember(dir, &kubeconfig, &manifests)?;
    member.apply(narrator, &manifests)?;
    member.mint_tokens(narrator)?;
    Ok(Stage { members: vec![member], pair: None })
}

/// Deletes what an earlier demo applied, if its cluster was there before.
pub(super) fn take_back(dir: &Path) -> Result<()> {
    let Ok(kubeconfig) = fs::read_to_string(dir.join(KUBECONFIG)) else { return Ok(()) };
    let narrator = Narrator::new(dir);
    let admin = Kubectl::new(kubeconfig);
    let mut command = admin.command(&["delete", "--ignore-not-found", "-f"])?;
    command.arg(dir.join(APPLIED));
    narrator.tell("The demo applied manifests to a cluster of yours. They can be taken back.");
    if !narrator.ask("Delete them there?")? {
        bail!("they stay there, and their text in {}", dir.join(APPLIED).display());
    }
    narrator.succeed(command)?;
    Ok(())
}

fn member(dir: &Path, kubeconfig: &Path) -> Result<Member> {
    let admin = Kubectl::new(kubeconfig);
    let view = |template: &str| {
        let template = format!("go-template={{{{with (index .clusters 0).cluster}}}}{template}{{{{end}}}}");
        admin.ok(&["config", "view", "--minify", "--flatten", "--raw", "-o", &template])
    };
    // Its administrator's credential stays where it is: the gateway gets the address and the CA, no more.
    let server = view("{{.server}}")?;
    let ca = view(r#"{{index . "certificate-authority-data" | base64decode}}"#)
        .context("the kubeconfig names no CA, and the gateway asks for one")?;
    let member_dir = dir.join("yours");
    fs::create_dir_all(&member_dir)?;
    let ca_file = member_dir.join("ca.crt");
    fs::write(&ca_file, ca)?;
    Ok(Member { id: "yours".to_owned(), server, ca_file, admin, namespace: "gatewarden-demo", dir: member_dir })
}

fn remember(dir: &Path, kubeconfig: &Path, manifests: &[PathBuf]) -> Result<()> {
    let texts: Result<Vec<String>, _> = manifests.iter().map(fs::read_to_string).collect();
    write_private(&dir.join(APPLIED), &texts?.join("\n---\n"))?;
    write_private(&dir.join(KUBECONFIG), &kubeconfig.display().to_string())
}
