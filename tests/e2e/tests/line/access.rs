//! Who gets in: names, groups, local users, and clusters that are kept closed.

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Protocol};

use crate::bed::{Bed, POD};
use crate::gate::{Gate, Plan, Session};

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        a_group_name_belongs_to_the_first_group_that_had_it,
        too_many_groups_are_refused_with_the_count,
        a_person_of_the_gateway_itself_logs_in,
        a_user_named_like_a_granted_group_is_not_the_group,
        a_new_group_opens_a_cluster,
        a_person_who_left_the_directory_is_out,
        a_name_that_is_given_to_somebody_else_takes_nothing_along,
        an_account_that_may_too_much_closes_its_cluster_alone,
    ]
}

const PODS: &str = "api/v1/namespaces/dev/pods";

pub(crate) fn a_group_name_belongs_to_the_first_group_that_had_it(bed: &Bed) -> Result<()> {
    // Two units of the directory have a group called admins. Whoever binds corp:admins means one of them.
    let gate = Gate::start(bed, &Plan::default())?;
    let groups = |session: &Session| -> Result<String> {
        Ok(gate.get(Protocol::Http2, "/api/v1/me", session)?.json()?["identity"]["groups"].to_string())
    };
    let erin = gate.fresh_session("erin")?;
    ensure!(groups(&erin)?.contains("corp:admins"), "{}", groups(&erin)?);
    let frank = gate.fresh_session("frank")?;
    ensure!(!groups(&frank)?.contains("corp:admins"), "two groups share a name: {}", groups(&frank)?);
    gate.ok(&["cluster", "release-name", "corp:admins"])?;
    let frank = gate.fresh_session("frank")?;
    ensure!(groups(&frank)?.contains("corp:admins"), "released, and still withheld: {}", groups(&frank)?);
    Ok(())
}

pub(crate) fn too_many_groups_are_refused_with_the_count(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan { limits: "groups: 2,", ..Plan::default() })?;
    let answer = gate.login_as("alice")?;
    ensure!(answer.status != 201, "an identity was cut short, or a limit ignored: {}", answer.text());
    let told = answer.json()?["detail"].as_str().unwrap_or_default().to_owned();
    ensure!(told.contains('3') && told.contains('2'), "which count, which limit? {}", answer.text());
    ensure!(gate.login_as("bob")?.status == 201, "two groups are two groups");
    Ok(())
}

pub(crate) fn a_person_of_the_gateway_itself_logs_in(bed: &Bed) -> Result<()> {
    let grants = "- { subjects: [\"group:local:keepers\"], clusters: [east] }";
    let gate = Gate::start(bed, &Plan { grants, ..Plan::default() })?;
    let first = "a long enough first password";
    let second = "a long enough second password";
    gate.ok_with_input(&["user", "add", "lora", "--group", "keepers", "--password-stdin"], first)?;
    let session = Session::of(&gate.login_at("local", "lora", first)?)?;
    let whoami = gate.kubectl(&session, "east")?.ok(&["auth", "whoami", "-o", "jsonpath={.status.userInfo}"])?;
    ensure!(whoami.contains(r#""username":"local:lora""#) && whoami.contains(r#""local:keepers""#), "{whoami}");
    // A password belongs to one provider: the directory has never heard of her.
    ensure!(gate.login("lora", first)?.status == 401);
    gate.ok_with_input(&["user", "passwd", "lora", "--password-stdin"], second)?;
    ensure!(gate.login_at("local", "lora", first)?.status == 401, "the old password still works");
    ensure!(gate.login_at("local", "lora", second)?.status == 201);
    e2e::eventually("the end of the old session", || {
        Ok((gate.get(Protocol::Http2, "/api/v1/me", &session)?.status == 401).then_some(()))
    })
}

pub(crate) fn a_user_named_like_a_granted_group_is_not_the_group(bed: &Bed) -> Result<()> {
    let grants = "- { subjects: [\"group:local:keepers\"], clusters: [east] }";
    let gate = Gate::start(bed, &Plan { grants, ..Plan::default() })?;
    let password = "a long enough password";
    for arguments in [&["user", "add", "lora", "--group", "keepers"][..], &["user", "add", "keepers"]] {
        gate.ok_with_input(&[arguments, &["--password-stdin"]].concat(), password)?;
    }
    let kubectl = |login: &str| gate.kubectl(&Session::of(&gate.login_at("local", login, password)?)?, "east");
    let anybody_may = ["get", "--raw", "/version"];
    kubectl("lora")?.ok(&anybody_may)?;
    let refused = kubectl("keepers")?.refused(&anybody_may)?;
    ensure!(refused.contains("Forbidden"), "{refused}");
    Ok(())
}

pub(crate) fn a_new_group_opens_a_cluster(bed: &Bed) -> Result<()> {
    let person = bed.new_person("joiner", &[])?;
    let session = bed.gate().fresh_session(&person)?;
    let ask = || bed.gate().get(Protocol::Http2, &format!("/k8s/clusters/east/{PODS}"), &session);
    ensure!(ask()?.status == 403);
    bed.join_group(&person, "dev")?;
    bed.gate().ok(&["user", "refresh", &session.user])?;
    e2e::eventually("the new group", || Ok((ask()?.status == 200).then_some(())))
}

pub(crate) fn a_person_who_left_the_directory_is_out(bed: &Bed) -> Result<()> {
    let person = bed.new_person("gone", &["dev"])?;
    let session = bed.gate().fresh_session(&person)?;
    let mut watch = bed.gate().kubectl(&session, "east")?.start(&["get", "pods", "--watch"])?;
    watch.wait_for(POD)?;
    bed.remove_person(&person)?;
    bed.gate().ok(&["user", "refresh", &session.user])?;
    watch.wait_for_end()?;
    e2e::eventually("the end of the session", || {
        Ok((bed.gate().get(Protocol::Http2, "/api/v1/me", &session)?.status == 401).then_some(()))
    })
}

pub(crate) fn a_name_that_is_given_to_somebody_else_takes_nothing_along(bed: &Bed) -> Result<()> {
    let name = bed.new_person("heir", &["dev"])?;
    let first = bed.gate().fresh_session(&name)?;
    bed.remove_person(&name)?;
    bed.add_person(&name, &["dev"])?;
    // The RoleBindings to this name were made for another person.
    let answer = bed.gate().login_as(&name)?;
    ensure!(answer.status != 201 && answer.status != 401, "{} {}", answer.status, answer.text());
    bed.gate().ok(&["cluster", "release-name", &format!("corp:{name}")])?;
    let second = bed.gate().fresh_session(&name)?;
    ensure!(second.user != first.user, "two people, one user id: {}", second.user);
    Ok(())
}

pub(crate) fn an_account_that_may_too_much_closes_its_cluster_alone(bed: &Bed) -> Result<()> {
    let west = bed.cluster("west")?;
    let token = bed.folder("strong").with_extension("token");
    west.kubectl(&["-n", "dev", "create", "serviceaccount", "strong"])?;
    let admin = ["--clusterrole=cluster-admin", "--serviceaccount=dev:strong"];
    west.kubectl(&[&["create", "clusterrolebinding", "strong"], &admin[..]].concat())?;
    west.service_account_token("dev", "strong", &token)?;
    let gate = Gate::start(bed, &Plan { west_impersonator: Some(&token), ..Plan::default() })?;
    let alice = gate.session("alice")?;
    let ask = |cluster: &str| gate.get(Protocol::Http2, &format!("/k8s/clusters/{cluster}/{PODS}"), &alice);
    e2e::eventually("the east cluster", || Ok((ask("east")?.status == 200).then_some(())))?;
    let log = "\"cluster\":\"west\"";
    e2e::eventually("the finding", || {
        Ok(gate.log()?.lines().any(|l| l.contains(log) && l.contains("clos")).then_some(()))
    })?;
    ensure!(ask("west")?.status == 503, "{}", ask("west")?.text());
    let checked = gate.command(&["cluster", "check", "west"])?;
    ensure!(!checked.success(), "{}", checked.stdout);
    ensure!(format!("{}{}", checked.stdout, checked.stderr).contains("secrets"), "{}", checked.stdout);
    gate.ok(&["cluster", "check", "east"]).context("the east cluster is as it should be")?;
    gate.rewrite(
        bed,
        &Plan { west_impersonator: Some(&token), west_lines: "dangerousPrivilegedAccount: true", ..Plan::default() },
    )?;
    gate.hang_up()?;
    e2e::eventually("the opened cluster", || Ok((ask("west")?.status == 200).then_some(())))
}
