//! Binding the port, and what to say when somebody else has it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use setup::exit::{Code, Exit};
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::net::{TcpListener, TcpSocket};

/// Connections that may wait for the accept loop; the system has its own, lower, bound.
const BACKLOG: u32 = 4096;
/// How far a free port is looked for.
const NEXT_MAX: u16 = 100;

/// Listens at `address`.
///
/// # Errors
/// An [`Exit`] of code 4 that names the address, who has its port, and a free one.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener, Exit> {
    listen(address).map_err(|error| refusal(address, &error))
}

/// Listens at `address` or, where it is taken, at the next free port, and says so on stderr.
///
/// # Errors
/// As [`bind`].
pub(crate) fn bind_near(address: SocketAddr) -> Result<TcpListener, Exit> {
    match listen(address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let free = next_free(address).ok_or_else(|| refusal(address, &error))?;
            let listener = bind(free)?;
            eprintln!("{address} is taken; serving at {free}");
            Ok(listener)
        }
        result => result.map_err(|error| refusal(address, &error)),
    }
}

/// Asks for as many open files as this user may have: every connection is one, and many systems
/// grant 1024 unless asked.
pub(crate) fn allow_connections() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // Where it is refused, the accept loop says so when the files are used up.
    let _ = setrlimit(Resource::Nofile, most);
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // Connections of the last run that are still fading away do not hold the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn refusal(address: SocketAddr, error: &io::Error) -> Exit {
    let what = format!("Cannot listen at {address}.");
    let refuse = |why: String, fix: &str| Exit::new(Code::Unreachable, &what, why, fix);
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let holder = holder(address.port()).map_or_else(
                || "another process has this port.".to_owned(),
                |holder| format!("{holder} has this port."),
            );
            // Not a whole command: it would not be the one that was typed, with all its flags.
            let elsewhere = next_free(address)
                .map_or_else(|| format!("{}:PORT", address.ip()), |free| free.to_string());
            let fix = format!(
                "stop it, or listen elsewhere: --listen {elsewhere} (or ORDERD_SERVER_LISTEN)"
            );
            refuse(holder, &fix)
        }
        io::ErrorKind::PermissionDenied => {
            let why = format!("{error}; ports below 1024 need a privilege.");
            refuse(
                why,
                "choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE.",
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            let why = format!("{error}: this machine has no such address.");
            refuse(
                why,
                "listen at 127.0.0.1, or at an address that `ip address` shows.",
            )
        }
        _ => refuse(format!("{error}."), "choose another address with --listen."),
    }
}

fn next_free(address: SocketAddr) -> Option<SocketAddr> {
    (1..=NEXT_MAX)
        .filter_map(|step| address.port().checked_add(step))
        .map(|port| SocketAddr::new(address.ip(), port))
        .find(|address| listen(*address).is_ok())
}

/// The process that listens at `port`, where the system lets us see it.
fn holder(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .find_map(|table| listening_inode(&table, port))?;
    let socket = format!("socket:[{inode}]");
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid = process
            .file_name()
            .into_string()
            .ok()?
            .parse::<u32>()
            .ok()?;
        let mut files = fs::read_dir(process.path().join("fd")).ok()?.flatten();
        files.find(|file| fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == &*socket))?;
        let name = fs::read_to_string(process.path().join("comm")).ok()?;
        Some(format!("{} (process {pid})", name.trim_end()))
    })
}

/// Which socket listens at `port`, in the words of `/proc/net/tcp`.
fn listening_inode(table: &str, port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let ending = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, local, _, state, ..] = fields[..] else {
            return None;
        };
        (local.ends_with(&ending) && state == LISTEN)
            .then(|| fields.get(9).map(ToString::to_string))
            .flatten()
    })
}

/// Whether only this machine can reach `ip`.
pub(crate) fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}
