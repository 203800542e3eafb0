//! The demo: a person of a directory, one or two clusters, every command shown before it runs.
//!
//! Its servers run in the machine's own network and stay until `down`, so that whoever watched can go on by hand.

mod browser;
mod configuration;
mod member;
mod narrator;
mod own;
mod pair;
mod story;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::state::write_private;
pub use browser::browse;

use crate::{Gateway, Place, SiteIssuer, Slapd, npm, programs};

use member::Member;
use narrator::Narrator;

/// Names the kubeconfig of the one cluster to use instead of two new ones.
const OWN: &str = "DEMO_KUBECONFIG";

/// What a demo before somebody's own cluster needs of the distribution.
const OWN_NEEDS: [&str; 8] =
    ["slapd", "ldap-utils", "curl", "nodejs", "npm", "chromium", "chromium-driver", "libnss3-tools"];

/// The clusters of a demo, and what has to stay alive for them.
struct Stage {
    members: Vec<Member>,
    pair: Option<pair::Pair>,
}

/// Runs the demo from nothing, and leaves it running.
///
/// # Errors
/// When a step does not go as the demo says it would; then everything is stopped again.
pub fn run() -> Result<()> {
    let dir = programs::cache().join("demo");
    perform(&dir).context("the demo ends here; `make demo-down` takes back what it did")
}

fn perform(dir: &Path) -> Result<()> {
    let own = env::var_os(OWN).filter(|path| !path.is_empty()).map(PathBuf::from);
    stop(dir)?;
    match own {
        Some(_) => {
            crate::packages::install(&OWN_NEEDS)?;
            npm::fetch()?;
        }
        None => programs::fetch()?,
    }
    fs::create_dir_all(dir)?;
    let mut narrator = Narrator::new(dir);
    narrator.title("Gatewarden: a directory, a portal, one gateway, kubectl as yourself in every cluster");
    narrator.tell(&format!("D={}", dir.display()));

    let directory = start_directory(&mut narrator, dir)?;
    let portal = start_portal(&mut narrator, dir)?;
    let stage = match own {
        Some(kubeconfig) => own::stage(&mut narrator, dir, &kubeconfig)?,
        None => pair::stage(&mut narrator, dir)?,
    };
    let gateway = start_gateway(&mut narrator, dir, (&directory, &portal), &stage.members)?;
    story::tell(&mut narrator, &stage, gateway.place())?;
    finish(&mut narrator, dir, &stage, gateway.place())?;

    gateway.detach();
    directory.detach();
    portal.detach();
    if let Some(pair) = stage.pair {
        pair.detach();
    }
    Ok(())
}

/// Stops the demo, takes what it applied out of a cluster that was there before, and deletes its folder.
///
/// # Errors
/// When something cannot be stopped.
pub fn down() -> Result<()> {
    let dir = programs::cache().join("demo");
    ensure!(dir.exists(), "no demo is running (there is no {})", dir.display());
    stop(&dir)?;
    Narrator::new(&dir).tell("The demo is stopped; nothing of it is left.");
    Ok(())
}

fn stop(dir: &Path) -> Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    crate::down(dir)?;
    own::take_back(dir)?;
    fs::remove_dir_all(dir).with_context(|| format!("delete {}", dir.display()))
}

fn start_directory(narrator: &mut Narrator, dir: &Path) -> Result<Slapd> {
    narrator.step("A directory, as every site has one");
    let directory = Slapd::start(&dir.join("directory"))?;
    narrator.tell(&format!(
        "slapd answers at {}; the password of alice is alice-secret, and so on.",
        directory.ldaps_url()
    ));
    narrator.tell("alice is in the group payments, payments is in backend, backend is in dev. dave is in no group.");
    Ok(directory)
}

fn start_portal(narrator: &mut Narrator, dir: &Path) -> Result<SiteIssuer> {
    narrator.step("A portal, as many sites have one: an OpenID Connect issuer with a login page of its own");
    let portal = SiteIssuer::start(&dir.join("portal"))?;
    portal.add(browser::PERSON, &browser::password(), &["dev"])?;
    narrator.tell(&format!("oidc-provider answers at {}; mina is known there, in the group dev.", portal.url()));
    Ok(portal)
}

fn start_gateway(
    narrator: &mut Narrator,
    dir: &Path,
    (directory, portal): (&Slapd, &SiteIssuer),
    members: &[Member],
) -> Result<Gateway> {
    narrator.step("The gateway: who may come in, and where the clusters are");
    let place = Place::new(&dir.join("gateway"))?;
    let password = place.write("directory.password", Slapd::SERVICE_PASSWORD)?;
    let secret = place.write("portal.secret", SiteIssuer::SECRET)?;
    let providers = configuration::Providers { directory, password: &password, portal, secret: &secret };
    let config = configuration::render(&place, &providers, members);
    let file = place.write("gatewarden.yaml", &config)?;
    narrator.show_file(&file)?;
    narrator.tell("Is it right? --live also asks the clusters whether the two accounts may do enough, and not more.");
    narrator.succeed(place.command(&["check", "--live"])?)?;
    narrator.show(&place.command(&["serve"])?, " &");
    let gateway = Gateway::start(&place, &config)?;
    narrator.tell(&format!("It is ready: {} for people, {} for its operators.", place.url(), place.operations_url()));
    Ok(gateway)
}

fn finish(narrator: &mut Narrator, dir: &Path, stage: &Stage, place: &Place) -> Result<()> {
    let env_file = dir.join("env");
    write_private(&env_file, &environment(dir, place)?)?;
    narrator.title("What to try next");
    narrator.tell(&format!(". {}   # kubectl is now alice, through the gateway", env_file.display()));
    let first = stage.members.first().context("a demo has a cluster")?;
    for line in story::next(first, place) {
        narrator.tell(&line);
    }
    narrator.tell("");
    narrator.tell("make demo-down   # stop everything and delete it");
    Ok(())
}

/// What a shell needs to go on by hand.
fn environment(dir: &Path, place: &Place) -> Result<String> {
    let folder = |command: Command| {
        Path::new(command.get_program()).parent().map(|dir| dir.display().to_string()).unwrap_or_default()
    };
    let kubectl = folder(crate::Kubectl::new(dir).command(&[])?);
    let gatewarden = folder(place.command(&[])?);
    Ok(format!(
        "export D={dir}\nexport PATH={gatewarden}:{kubectl}:$PATH\n\
         export KUBECONFIG=$D/alice.kubeconfig\nexport GATEWARDEN_CONFIG={config}\n",
        dir = dir.display(),
        config = place.config_file().display(),
    ))
}
