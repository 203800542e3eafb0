//! Why a request was refused, as the command tells the operator.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use e2e::{Answer, Case, Protocol, Relay};
use kube_wire::UserInfo;

use crate::bed::{Bed, WHOM_TO_ASK};
use crate::gate::{Gate, Plan, Session};

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        a_refusal_is_explained_with_what_to_do,
        an_id_that_is_not_on_record_says_where_was_looked,
        a_person_is_explained_from_the_directory_to_the_cluster,
        whoever_says_no_is_named_with_what_to_do,
        whom_somebody_acts_as_is_explained_as_the_cluster_decides,
        whom_the_cluster_would_see_is_whom_it_sees,
        somebody_who_never_came_is_explained_and_not_made_known,
        what_the_next_refresh_will_change_is_told,
        what_nobody_can_say_now_is_unknown_and_no_refusal,
    ]
}

pub(crate) fn a_refusal_is_explained_with_what_to_do(bed: &Bed) -> Result<()> {
    let gate = bed.gate();
    let (alice, dave) = (gate.session("alice")?, gate.session("dave")?);
    let ask = |session: &Session, path: &str| gate.get(Protocol::Http2, path, session);
    // The gateway's own no: dave has no grant.
    let told = explained(bed, &ask(&dave, "/k8s/clusters/east/api/v1/namespaces/dev/pods")?, 403)?;
    for part in ["no-grant", "user:corp:dave", "403 by the gateway", "dev/pods", WHOM_TO_ASK] {
        ensure!(told.contains(part), "{part:?} is missing: {told}");
    }
    // The cluster's no: a role is missing there.
    let told = explained(bed, &ask(&alice, "/k8s/clusters/east/api/v1/namespaces/kube-system/secrets")?, 403)?;
    for part in ["403 by the cluster", "auth can-i list secrets -n kube-system --as=corp:alice", "--as-group=corp:dev"]
    {
        ensure!(told.contains(part), "{part:?} is missing: {told}");
    }
    // What kubectl would be told to run is what the cluster answers to.
    let cluster = bed.admin("east")?;
    let asked = ["auth", "can-i", "list", "secrets", "-n", "kube-system", "--as=corp:alice", "--as-group=corp:dev"];
    cluster.refused(&asked)?;
    // A stranger's request, and a good one.
    let nobody = http::Request::get("/k8s/clusters/east/api").body(Bytes::new())?;
    let told = explained(bed, &gate.https()?.send(Protocol::Http2, nobody)?, 401)?;
    ensure!(told.contains("log in again"), "{told}");
    let told = explained(bed, &ask(&alice, "/k8s/clusters/east/api/v1/namespaces/dev/pods")?, 200)?;
    ensure!(told.contains("200 by the cluster") && told.contains("corp:alice") && !told.contains("reason"), "{told}");
    ensure!(!told.contains(alice.token.split_once(':').context("name:secret")?.1), "a secret is told");
    Ok(())
}

pub(crate) fn an_id_that_is_not_on_record_says_where_was_looked(bed: &Bed) -> Result<()> {
    let told = bed.gate().command(&["explain", "--audit-id", "0199f0c2-none"])?;
    ensure!(
        !told.success() && told.stderr.contains("audit.log") && told.stderr.contains("Audit-Id"),
        "{}",
        told.stderr
    );
    Ok(())
}

/// The explanation of an answer, as soon as its record is written.
fn explained(bed: &Bed, answer: &Answer, status: u16) -> Result<String> {
    ensure!(answer.status == status, "{} {}", answer.status, answer.text());
    let id = answer.header("audit-id").to_owned();
    bed.gate().audit().wait_for("the record", |event| event.audit_id == id)?;
    bed.gate().ok(&["explain", "--audit-id", &id])
}

/// The exit codes.
const ALLOWED: Option<i32> = Some(0);
const REFUSED: Option<i32> = Some(3);

/// What is told of a person and what it comes to.
fn told(bed: &Bed, line: &str, code: Option<i32>) -> Result<String> {
    let arguments: Vec<&str> = std::iter::once("explain").chain(line.split(' ')).collect();
    let told = bed.gate().command(&arguments)?;
    ensure!(told.code == code, "{line}: {:?}, not {code:?}: {}{}", told.code, told.stdout, told.stderr);
    Ok(told.stdout)
}

fn holds(told: &str, parts: &[&str]) -> Result<()> {
    let missing: Vec<_> = parts.iter().filter(|part| !told.contains(**part)).collect();
    ensure!(missing.is_empty(), "{missing:?} is missing: {told}");
    Ok(())
}

pub(crate) fn a_person_is_explained_from_the_directory_to_the_cluster(bed: &Bed) -> Result<()> {
    let alice = bed.gate().session("alice")?;
    let told = told(bed, "alice --cluster east get pods -n dev", ALLOWED)?;
    let parts = [
        "principal corp_user://",
        "corp knows them as alice",
        "its member lists the person",
        "dev (corp_group://",
        "through payments > backend",
        "username: corp:{login} gives corp:alice",
        "group dev: corp:{name} gives corp:dev",
        "the access mode is unrestricted",
        "names group:corp:dev: *",
        "east (v1.",
        "is open",
        "get pods: to RBAC it is list pods in namespace dev",
        "impersonate-user: corp:alice",
        "impersonate-group: corp:payments",
        "impersonate-extra-gatewarden%2fprovider: corp",
        "allows it to corp:alice",
        "allowed: cluster east lets corp:alice list",
        "RoleBinding",
    ];
    holds(&told, &parts)?;
    // In the order in which a request meets them.
    let headings =
        ["user\n", "provider\n", "groups\n", "access policy\n", "mapping\n", "identity\n", "grants\n", "cluster\n"];
    let places: Vec<_> = headings.iter().map(|heading| told.find(heading)).collect();
    ensure!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {told}");
    ensure!(!told.contains(alice.token.split_once(':').context("name:secret")?.1), "a secret is told");
    Ok(())
}

pub(crate) fn whoever_says_no_is_named_with_what_to_do(bed: &Bed) -> Result<()> {
    let gate = bed.gate();
    // The gateway: no grant.
    gate.session("dave")?;
    let parts = [
        "no grant names them",
        "so no cluster is open",
        "refused: the gateway answers 403",
        "user:corp:dave",
        WHOM_TO_ASK,
    ];
    holds(&told(bed, "dave --cluster east get pods -n dev", REFUSED)?, &parts)?;
    holds(&told(bed, "dave", REFUSED)?, &["add one of these to the subjects of a grant", "user:corp:dave"])?;
    // The cluster: no role.
    gate.session("alice")?;
    let parts =
        ["denies it to corp:alice", "auth can-i list secrets -n kube-system --as=corp:alice", "--as-group=corp:dev"];
    holds(&told(bed, "alice --cluster east get secrets -n kube-system", REFUSED)?, &parts)?;
    holds(&told(bed, "alice --cluster east get /metrics", REFUSED)?, &["to RBAC it is get /metrics"])?;
    // Neither: what is asked first, and where they may go at all.
    holds(&told(bed, "alice --cluster east", ALLOWED)?, &["what kubectl asks first", "lets corp:alice get"])?;
    holds(&told(bed, "alice", ALLOWED)?, &["they may enter east, west"])?;
    let told = gate.command(&["explain", "alice", "get", "pods"])?;
    ensure!(told.code == Some(1) && told.stderr.contains("--cluster east or west"), "{}", told.stderr);
    Ok(())
}

pub(crate) fn whom_somebody_acts_as_is_explained_as_the_cluster_decides(bed: &Bed) -> Result<()> {
    let gate = bed.gate();
    for person in ["alice", "carol", "erin"] {
        gate.session(person)?;
    }
    let parts = ["impersonate-user: jane", "original-user: corp:alice", "allows it to jane", "lets jane list"];
    holds(&told(bed, "alice --cluster east --as jane get pods -n dev", ALLOWED)?, &parts)?;
    let refused = told(bed, "carol --cluster east --as jane get pods -n dev", REFUSED)?;
    holds(&refused, &["may-not-act-as", "corp:carol", "jane", "auth can-i impersonate"])?;
    ensure!(!refused.contains("impersonate-user: jane"), "nothing would be sent: {refused}");
    let line = "erin --cluster east --as jane --as-group system:masters get pods -n dev";
    holds(&told(bed, line, REFUSED)?, &["nobody may act as \"system:masters\""])?;
    // What is told of jane is what jane may do, not what alice may.
    holds(&told(bed, "alice --cluster east --as jane create configmaps -n dev", REFUSED)?, &["denies it to jane"])
}

pub(crate) fn whom_the_cluster_would_see_is_whom_it_sees(bed: &Bed) -> Result<()> {
    let alice = bed.kubectl("alice", "east")?;
    for (flags, line) in [
        (&[][..], "alice -o json --cluster east get pods -n dev"),
        (&["--as=jane", "--as-group=qa"], "alice -o json --cluster east --as jane --as-group qa get pods -n dev"),
    ] {
        let selector = format!("--selector=told={}", flags.len());
        alice.run(&[&["get", "pods", selector.as_str()], flags].concat())?;
        let seen = bed
            .audit("east")
            .wait_for("the request", |event| event.request_uri.contains(&format!("told%3D{}", flags.len())))?;
        let mut seen = seen.impersonated_user.context("nobody was impersonated")?.into_owned();
        let gateway = bed.gate();
        let told = gateway.command(&std::iter::once("explain").chain(line.split(' ')).collect::<Vec<_>>())?.stdout;
        let told: serde_json::Value = serde_json::from_str(&told)?;
        let mut foretold: UserInfo = serde_json::from_value(told["answer_of_the_cluster"]["user"].clone())?;
        foretold.groups.sort_unstable();
        seen.groups.sort_unstable();
        // alice has several sessions here, and each names itself.
        for user in [&mut foretold, &mut seen] {
            user.extra.remove("gatewarden/session-id");
        }
        ensure!(foretold == seen && !seen.extra.is_empty(), "{foretold:?} is not {seen:?}");
    }
    Ok(())
}

pub(crate) fn somebody_who_never_came_is_explained_and_not_made_known(bed: &Bed) -> Result<()> {
    let name = bed.new_person("newcomer", &["backend"])?;
    let told = told(bed, &format!("{name} --cluster east get pods -n dev"), ALLOWED)?;
    let gives = format!("username: corp:{{login}} gives corp:{name}");
    holds(
        &told,
        &["has never logged in here", "no session: this is what a login would give now", "through backend", &gives],
    )?;
    ensure!(!bed.gate().ok(&["user", "list"])?.contains(&name), "a user was made");
    let nobody = bed.gate().command(&["explain", "nobody-at-all"])?;
    ensure!(nobody.code == Some(1) && nobody.stderr.contains("there is no user"), "{}", nobody.stderr);
    Ok(())
}

pub(crate) fn what_the_next_refresh_will_change_is_told(bed: &Bed) -> Result<()> {
    let name = bed.new_person("changing", &["ops"])?;
    bed.gate().fresh_session(&name)?;
    let line = format!("{name} --cluster east get pods -n dev");
    ensure!(!told(bed, &line, ALLOWED)?.contains("the next refresh"), "nothing has changed");
    // What the session carries still counts.
    bed.leave_group(&name, "ops")?;
    bed.join_group(&name, "backend")?;
    let parts = ["the next refresh adds corp:backend, corp:dev and takes away corp:ops", "impersonate-group: corp:ops"];
    holds(&told(bed, &line, ALLOWED)?, &parts)?;
    bed.remove_person(&name)?;
    let parts = ["corp does not know them", "until the next refresh, which ends the session"];
    holds(&told(bed, &line, ALLOWED)?, &parts)?;
    bed.gate().ok(&["user", "disable", &name])?;
    holds(&told(bed, &line, REFUSED)?, &["refused: switched off here", "gatewarden user enable"])
}

pub(crate) fn what_nobody_can_say_now_is_unknown_and_no_refusal(bed: &Bed) -> Result<()> {
    let (west, directory) = (Relay::start(bed.cluster_addr("west"))?, Relay::start(bed.directory_addr())?);
    let plan = Plan { west: Some(west.addr()), directory: Some(directory.addr()), ..Plan::default() };
    let gate = Gate::start(bed, &plan)?;
    gate.session("alice")?;
    let told = |line: &str, code, parts: &[&str]| {
        let told = gate.command(&line.split(' ').collect::<Vec<_>>())?;
        ensure!(told.code == Some(code), "{line}: {:?}, not {code}: {}{}", told.code, told.stdout, told.stderr);
        holds(&told.stdout, parts)
    };
    west.cut();
    told("explain alice --cluster west get pods -n dev", 4, &["unknown: cluster west"])?;
    directory.cut();
    // Whoever has a session is judged by what it carries.
    told("explain alice --cluster east get pods -n dev", 0, &["allowed: cluster east"])?;
    told("explain alice --cluster west get pods -n dev", 4, &["unknown: cluster west"])?;
    // Ends the sessions, and leaves nothing else behind.
    gate.ok(&["user", "disable", "alice"])?;
    gate.ok(&["user", "enable", "alice"])?;
    told("explain alice --cluster east get pods -n dev", 4, &["unknown: they have no session", "corp does not answer"])
}
