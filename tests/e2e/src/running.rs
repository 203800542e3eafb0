//! A command that goes on while the test does something else.

use std::io::{Read, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};

use crate::eventually;

/// A child process whose output is collected; killed when dropped.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    output: Arc<Mutex<Vec<u8>>>,
}

impl Running {
    /// Starts `command` with its input open and collects what it prints on both streams.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn start(mut command: Command) -> Result<Self> {
        let name = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| name.clone())?;
        let output = Arc::new(Mutex::new(Vec::new()));
        if let Some(stdout) = child.stdout.take() {
            collect(stdout, &output);
        }
        if let Some(stderr) = child.stderr.take() {
            collect(stderr, &output);
        }
        let stdin = child.stdin.take();
        Ok(Self { name, child, stdin, output })
    }

    /// The operating system's id of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything printed so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Types into the command.
    ///
    /// # Errors
    ///
    /// When its input is closed.
    pub fn type_in(&mut self, text: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("input was closed")?;
        stdin.write_all(text.as_bytes())?;
        Ok(stdin.flush()?)
    }

    /// Waits until `text` was printed.
    ///
    /// # Errors
    ///
    /// When it does not come, or the command ends without it.
    pub fn wait_for(&mut self, text: &str) -> Result<()> {
        let found = eventually(&format!("{text:?} from {}", self.name), || {
            if self.output().contains(text) {
                return Ok(Some(true));
            }
            Ok(self.child.try_wait()?.map(|_| false))
        });
        // What was written just before the end may still be on its way through the pipe.
        match found {
            Ok(true) => Ok(()),
            Ok(false) if eventually("the last output", || Ok(self.output().contains(text).then_some(()))).is_ok() => {
                Ok(())
            }
            Ok(false) => bail!("{} ended without {text:?}: {}", self.name, self.output()),
            Err(fault) => Err(fault.context(self.output())),
        }
    }

    /// Tells whether the command still runs.
    ///
    /// # Errors
    ///
    /// When the operating system cannot say.
    pub fn is_alive(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits for the command's own end.
    ///
    /// # Errors
    ///
    /// When it goes on.
    pub fn wait_for_end(&mut self) -> Result<ExitStatus> {
        eventually(&format!("the end of {}", self.name), || Ok(self.child.try_wait()?)).with_context(|| self.output())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Errors mean that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut from: impl Read + Send + 'static, into: &Arc<Mutex<Vec<u8>>>) {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let text = buffer.get(..count).unwrap_or_default();
            into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(text);
        }
    });
}
