//! A reader at his keyboard: one shell and one directory for a page, and what it leaves running.
//!
//! The ports of a page, 8080 and 9000 to 9002, are others in a run, so that pages run side by side; in what is
//! printed they are put back. `cargo run --release --` is the binary that is there.

use super::expect::{Ids, as_wanted, with_ids};
use super::page::Step;
use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use xtask::servers::daemon::free_port;

/// What takes longer waits for something that does not come.
const COMMAND_MAX: Duration = Duration::from_mins(1);
/// Characters of what was printed that are shown.
const SHOWN_MAX: usize = 3_000;
const PAUSE: Duration = Duration::from_millis(10);
/// The ports that pages use.
const PORTS: [u16; 4] = [8080, 9000, 9001, 9002];
/// What a server of ours says once it serves.
const READY: [&str; 3] = ["Serving", "serving", "Working on"];
/// What of the clone is in the directory of a page.
const LINKED: [&str; 5] = ["bench", "config.default.toml", "deploy", "docs", "examples"];

/// A shell, with what it has left running; all of it ends when dropped.
pub(super) struct Session {
    directory: TempDir,
    shell: Child,
    ports: [(u16, u16); PORTS.len()],
    servers: Vec<Child>,
    started: usize,
    ids: Ids,
}

impl Session {
    pub(super) fn start(root: &Path, orderd: &Path) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("orderd-page-").tempdir()?;
        let home = directory.path().join(".home");
        let bin = home.join("bin");
        fs::create_dir_all(&bin)?;
        symlink(orderd, bin.join("orderd"))?;
        for name in LINKED {
            symlink(root.join(name), directory.path().join(name))?;
        }
        // On a terminal curl draws no bar beside what it prints.
        fs::write(home.join(".curlrc"), "silent\nshow-error\n")?;
        let ports = [free_port()?, free_port()?, free_port()?, free_port()?];
        let ports = [0, 1, 2, 3].map(|at: usize| (PORTS[at], ports[at]));
        let mut command = Self::command(directory.path(), &ports)?;
        let shell = command.args(["--norc", "--noprofile"]);
        Ok(Self {
            shell: shell.stdin(Stdio::piped()).spawn()?,
            directory,
            ports,
            servers: Vec::new(),
            started: 0,
            ids: Ids::new(),
        })
    }

    /// bash, with nothing in its environment that the page did not put there.
    fn command(directory: &Path, ports: &[(u16, u16)]) -> Result<Command> {
        let home = directory.join(".home");
        let path = std::env::var_os("PATH").context("there is a PATH")?;
        let path = std::iter::once(home.join("bin")).chain(std::env::split_paths(&path));
        let mut command = Command::new("bash");
        command
            .current_dir(directory)
            .env_clear()
            .env("PATH", std::env::join_paths(path)?)
            .env("HOME", &home)
            .env("LANG", "C.UTF-8")
            .env("COLUMNS", "100")
            // What a page says is so nearly always; here it has to be so each time.
            .env("ORDERD_FULFILMENT_TRIES", "12")
            .env("ORDERD_SIMULATED_DECLINE_RATE", "0")
            .env("ORDERD_SERVER_LISTEN", format!("127.0.0.1:{}", ports[0].1))
            .process_group(0);
        Ok(command)
    }

    /// Runs a command, and compares what it prints.
    pub(super) fn run(&mut self, step: &Step, fails: bool) -> Result<()> {
        let (status, printed) = self.output(&step.command)?;
        let printed = self.as_on_the_page(&printed);
        let succeeded = status == 0;
        ensure!(
            succeeded != fails,
            "it ended with {status}, and printed\n{}",
            shortened(&printed)
        );
        if step.prints.is_empty() {
            return Ok(());
        }
        match as_wanted(&step.prints, &printed, &self.ids) {
            Some(ids) => self.ids = ids,
            None => bail!(
                "it prints\n{}\nand not\n{}",
                shortened(&printed),
                step.prints.join("\n")
            ),
        }
        Ok(())
    }

    /// Runs a command in the shell; gives its exit code and all that it printed.
    fn output(&mut self, command: &str) -> Result<(i32, String)> {
        let home = self.directory.path().join(".home");
        let [script, out, ended] = ["script", "out", "ended"].map(|name| home.join(name));
        fs::write(&script, self.as_here(command))?;
        drop(fs::remove_file(&ended));
        let (script, out) = (script.display(), out.display());
        let line = format!(
            "{{ eval \"$(< {script})\"; }} < /dev/null > {out} 2>&1; \
             echo $? > {ended}.new; mv {ended}.new {ended}\n",
            ended = ended.display()
        );
        let stdin = self.shell.stdin.as_mut().context("it is piped")?;
        stdin.write_all(line.as_bytes())?;
        let printed = || -> Result<String> {
            let bytes = fs::read(home.join("out")).unwrap_or_default();
            Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
        };
        let begun = Instant::now();
        while !ended.exists() {
            ensure!(
                self.shell.try_wait()?.is_none(),
                "the shell ended: {}",
                printed()?
            );
            if begun.elapsed() > COMMAND_MAX {
                bail!(
                    "it goes on for {COMMAND_MAX:?}, and printed\n{}",
                    printed()?
                );
            }
            sleep(PAUSE);
        }
        let status = fs::read_to_string(&ended)?;
        Ok((status.trim().parse()?, printed()?))
    }

    /// Starts what is left running, and waits until it is ready.
    pub(super) fn serve(&mut self, command: &str) -> Result<()> {
        let here = self.as_here(command);
        let log = self.log(self.started);
        self.started += 1;
        let mut server = Self::command(self.directory.path(), &self.ports)?;
        server.args(["-c", &format!("exec {here}")]);
        server.stdin(Stdio::null());
        server
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?);
        self.servers.push(server.spawn()?);
        let server = self.servers.last_mut().context("it was just put there")?;
        let begun = Instant::now();
        loop {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let is_ours = here.contains("orderd ");
            let ready = if is_ours {
                READY.iter().any(|it| said.contains(it))
            } else {
                let mut others = self.ports.iter().skip(1).map(|(_, port)| *port);
                others.any(|port| TcpStream::connect(("127.0.0.1", port)).is_ok())
            };
            if ready {
                return Ok(());
            }
            if let Some(status) = server.try_wait()? {
                bail!("it ended ({status}), and printed\n{}", shortened(&said));
            }
            ensure!(
                begun.elapsed() < COMMAND_MAX,
                "it is not ready: {}",
                shortened(&said)
            );
            sleep(PAUSE);
        }
    }

    /// Ends what was left running, as Ctrl-C does.
    pub(super) fn end_servers(&mut self) {
        for mut server in self.servers.drain(..).rev() {
            end(&mut server, "-INT");
        }
    }

    fn log(&self, number: usize) -> std::path::PathBuf {
        let home = self.directory.path().join(".home");
        home.join(format!("server-{number}.log"))
    }

    /// A command of the page, as it has to be here.
    fn as_here(&self, command: &str) -> String {
        let command = command.replace("cargo run --release -- ", "orderd ");
        let command = with_ids(&command, &self.ids);
        self.ports.iter().fold(command, |command, (page, here)| {
            replace_port(&command, *page, *here)
        })
    }

    /// What was printed here, as the page has it.
    fn as_on_the_page(&self, printed: &str) -> String {
        let directory = self.directory.path().display().to_string();
        let printed = printed.replace(&directory, "/home/you/orderd");
        self.ports.iter().fold(printed, |printed, (page, here)| {
            replace_port(&printed, *here, *page)
        })
    }
}

/// What was printed, as far as anybody reads it.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}\n… and more", &text[..end]),
        None => text.to_owned(),
    }
}

/// What stands before a port; before anything else a number is only a number.
const BEFORE_PORTS: [&str; 5] = ["localhost:", "0.0.0.0:", "127.0.0.1:", ".py ", ".mjs "];

/// Puts a port in the place of another.
fn replace_port(text: &str, from: u16, to: u16) -> String {
    let (from, to) = (from.to_string(), to.to_string());
    let mut replaced = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(&from) {
        replaced.push_str(before);
        let is_port = BEFORE_PORTS.iter().any(|it| before.ends_with(it))
            && !after.starts_with(|it: char| it.is_ascii_digit());
        replaced.push_str(if is_port { &to } else { &from });
        rest = after;
    }
    replaced + rest
}

/// Ends a process and what it has started.
fn end(child: &mut Child, signal: &str) {
    let group = format!("-{}", child.id());
    drop(Command::new("kill").args([signal, "--", &group]).status());
    let begun = Instant::now();
    while matches!(child.try_wait(), Ok(None)) && begun.elapsed() < Duration::from_secs(10) {
        sleep(PAUSE);
    }
    let kill = ["-KILL", "--", &group];
    drop(
        Command::new("kill")
            .args(kill)
            .stderr(Stdio::null())
            .status(),
    );
    drop(child.wait());
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end_servers();
        end(&mut self.shell, "-KILL");
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::Page;
    use super::*;

    #[test]
    fn a_script_fails_with_any_of_its_commands_and_the_shell_goes_on() {
        let root = tempfile::tempdir().unwrap();
        let mut session = Session::start(root.path(), Path::new("/bin/true")).unwrap();
        let mut succeeds = |script: &str| {
            let page = Page::read("x.md".to_owned(), &format!("```sh\n{script}\n```\n"));
            session.run(&page.blocks[0].steps[0], false).is_ok()
        };
        assert!(!succeeds("false\ntrue"));
        assert!(!succeeds("false | true"));
        assert!(!succeeds("echo $not_set"));
        assert!(succeeds("true | cat\ntrue # and no more"));
    }
}
