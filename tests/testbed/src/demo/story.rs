//! What people do with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::state::write_private;
use crate::{Cluster, Kubectl, Place, packages, reaper, wait};

use super::Stage;
use super::browser::seen;
use super::member::Member;
use super::narrator::Narrator;

/// One who logged in.
struct Person {
    kubectl: Kubectl,
    /// What her shell has beside ours.
    environment: Vec<(&'static str, String)>,
    /// What stands behind a cluster's id in the name of her context.
    at: String,
}

pub(super) fn tell(narrator: &mut Narrator, stage: &Stage, place: &Place) -> Result<()> {
    let first = stage.members.first().context("a demo has a cluster")?;
    narrator.step("Alice logs in with the password of the directory");
    let alice = log_in(narrator, place, "alice")?;

    narrator.step(&format!("In {} she may work, by her group corp:dev", first.id));
    work(narrator, &alice, first, stage.pair.is_some())?;
    if let Some(second) = stage.members.get(1) {
        narrator.step(&format!("In {} the same group may only look", second.id));
        look(narrator, &alice, second)?;
    }
    narrator.step("Nobody becomes somebody else by asking for it");
    let as_admin = ["--as", "admin", "get", "nodes"];
    narrator.be_refused(alice.at(first, &as_admin)?, "cannot impersonate")?;

    narrator.step("Dave has a password, too, but no group that may enter");
    let dave = log_in(narrator, place, "dave")?;
    narrator.be_refused(dave.at(first, &["auth", "can-i", "--list"])?, "platform team")?;

    narrator.step("Mina is known at the portal: she logs in there, in her browser, and kubectl has it");
    let mina = log_in_in_a_browser(narrator, place)?;
    narrator.succeed(mina.at(first, &["auth", "whoami"])?)?;
    narrator.succeed(mina.at(first, &["get", "configmaps"])?)?;

    if stage.pair.is_some() {
        narrator.step(&format!("The audit log of {} knows who it was", first.id));
        audit(narrator, first)?;
    }
    Ok(())
}

/// Commands for whoever goes on by hand.
pub(super) fn next(first: &Member, place: &Place) -> Vec<String> {
    let (id, namespace) = (&first.id, first.namespace);
    [
        format!("kubectl --context {id} -n {namespace} get pods --watch"),
        format!("kubectl --context {id} -n {namespace} create configmap prices --from-literal=tea=3"),
        format!("kubectl --context {id} auth can-i --list -n {namespace}"),
        "gatewarden user list".to_owned(),
        "gatewarden token list                  # then: gatewarden token revoke <name>, and kubectl as alice again"
            .to_owned(),
        format!("curl {}/metrics", place.operations_url()),
        format!("tail -f {}", place.path("audit.log").display()),
    ]
    .into()
}

impl Person {
    /// kubectl as this person in one cluster.
    fn at(&self, member: &Member, arguments: &[&str]) -> Result<Command> {
        let context = format!("{}{}", member.id, self.at);
        let words = [&["--context", &context, "-n", member.namespace], arguments].concat();
        let mut command = self.kubectl.command(&words)?;
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

/// Over the gateway's API, as any program would; the token goes to a file and not to the screen.
fn log_in(narrator: &Narrator, place: &Place, name: &str) -> Result<Person> {
    let body = json!({"username": name, "password": format!("{name}-secret")});
    let mut curl = packages::command("curl")?;
    curl.env("NO_PROXY", "*")
        .args(["--silent", "--show-error", "--fail-with-body", "--cacert"])
        .arg(place.path("state/ca.crt"))
        .args(["-H", "Content-Type: application/json", "-d", &body.to_string()])
        .arg(format!("{}/api/v1/providers/corp/login", place.url()));
    let dir = place.path("..").canonicalize()?;
    let token_file = dir.join(format!("{name}.token"));
    let answer = narrator.run_and_tell(curl, |answer| without_token(answer, &token_file))?;
    let answer: Value = serde_json::from_str(&answer)?;
    let token = answer.get("token").and_then(Value::as_str).context("the login's answer holds no token")?;
    write_private(&token_file, token)?;

    let kubeconfig = dir.join(format!("{name}.kubeconfig"));
    let mut command = place.command(&["cluster", "kubeconfig", "--all", "--token-file"])?;
    command.arg(&token_file);
    narrator.keep(command, &kubeconfig)?;
    Ok(Person { kubectl: Kubectl::new(kubeconfig), environment: Vec::new(), at: String::new() })
}

/// By the plugin, which opens a browser. Where there is no display, one without a window does what she would do.
fn log_in_in_a_browser(narrator: &Narrator, place: &Place) -> Result<Person> {
    let dir = place.path("..").canonicalize()?;
    let testbed = std::env::current_exe()?;
    let browser = dir.join("browse");
    fs::write(
        &browser,
        format!(
            "#!/bin/sh\nexec {} browse --dir {dir} \"$1\" >{dir}/browse.log 2>&1\n",
            testbed.display(),
            dir = dir.display()
        ),
    )?;
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755))?;
    let gateway = ["--gateway", &place.url(), "--certificate-authority", &place.path("state/ca.crt").to_string_lossy()]
        .map(str::to_owned);
    let plugin = |words: &[&str]| {
        let mut command = Command::new(reaper::sibling("kubectl-gatewarden").context("the plugin is not built")?);
        command.args(words).args(&gateway).env("XDG_CACHE_HOME", dir.join("mina")).env("BROWSER", &browser);
        for name in ["SSH_CONNECTION", "SSH_TTY"] {
            command.env_remove(name);
        }
        Ok::<_, anyhow::Error>(command)
    };
    let logged_in = narrator.succeed(plugin(&["login"])?);
    logged_in.with_context(|| fs::read_to_string(dir.join("browse.log")).unwrap_or_default())?;
    narrator.tell("What she saw, and the pictures of it:");
    // The plugin has its answer before the browser shows the last page.
    let seen =
        wait::until("the last page", wait::START, || Ok(seen(&dir).ok().filter(|seen| seen.contains("3-done"))))?;
    seen.lines().for_each(|line| narrator.tell(&format!("  {line}")));
    let kubeconfig = dir.join("mina.kubeconfig");
    narrator.keep(plugin(&["kubeconfig"])?, &kubeconfig)?;
    let path = std::env::var("PATH").unwrap_or_default();
    let beside = testbed.parent().context("a folder")?.display().to_string();
    Ok(Person {
        kubectl: Kubectl::new(kubeconfig),
        at: format!("@localhost:{}", place.port),
        environment: vec![
            ("PATH", format!("{beside}:{path}")),
            ("XDG_CACHE_HOME", dir.join("mina").display().to_string()),
        ],
    })
}

/// The answer as it came, but for the one thing that must not be read over a shoulder.
fn without_token(answer: &str, file: &Path) -> String {
    let Ok(mut answer) = serde_json::from_str::<Value>(answer) else { return answer.to_owned() };
    if let Some(token) = answer.get_mut("token") {
        *token = json!(format!("(kept in {}, mode 0600)", file.display()));
    }
    serde_json::to_string_pretty(&answer).unwrap_or_default()
}

fn work(narrator: &Narrator, alice: &Person, member: &Member, has_pod: bool) -> Result<()> {
    narrator.succeed(alice.at(member, &["auth", "whoami"])?)?;
    narrator.succeed(alice.at(member, &["create", "configmap", "opening-hours", "--from-literal=monday=9-18"])?)?;
    narrator.succeed(alice.at(member, &["get", "pods,configmaps"])?)?;
    if has_pod && crate::nodes_unsupported().is_none() {
        narrator.succeed(alice.at(member, &["logs", "web"])?)?;
        narrator.succeed(alice.at(member, &["exec", "web", "--", "cat", "/srv/index.html"])?)?;
    }
    narrator.tell("Beyond that namespace the group has no rights, and so has she:");
    narrator.be_refused(alice.at(member, &["get", "nodes"])?, "Forbidden")
}

fn look(narrator: &Narrator, alice: &Person, member: &Member) -> Result<()> {
    narrator.succeed(alice.at(member, &["get", "configmaps"])?)?;
    narrator.be_refused(alice.at(member, &["delete", "configmap", "kube-root-ca.crt"])?, "Forbidden")?;
    if crate::nodes_unsupported().is_none() {
        narrator.be_refused(alice.at(member, &["exec", "web", "--", "id"])?, "forbidden")?;
    }
    Ok(())
}

/// One event, cut down to what it says about people.
fn audit(narrator: &Narrator, member: &Member) -> Result<()> {
    let cluster = Cluster::attach(&member.dir)?;
    let event = cluster.await_audit("alice's config map", |event| {
        let at = |path| event.pointer(path).and_then(Value::as_str);
        at("/verb") == Some("create")
            && at("/objectRef/resource") == Some("configmaps")
            && at("/impersonatedUser/username").is_some()
    })?;
    let part = |path: &str| event.pointer(path).cloned().unwrap_or_default();
    let told = json!({
        "verb": part("/verb"),
        "requestURI": part("/requestURI"),
        "user": part("/user/username"),
        "impersonatedUser": part("/impersonatedUser"),
        "auditID": part("/auditID"),
    });
    narrator.tell(&format!("from {}; the gateway's own record has the same auditID", cluster.audit_log().display()));
    for line in serde_json::to_string_pretty(&told)?.lines() {
        narrator.tell(&format!("  {line}"));
    }
    Ok(())
}
