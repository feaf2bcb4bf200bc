//! The example application: serves the files of a folder over HTTP and says which pod answered.
//!
//! It is the only program of its image, so it also answers the few questions one asks with `kctl exec`: `web ls`,
//! `web cat`, `web look`, `web env`, `web get`. It speaks as much HTTP/1.1 as that needs, and no more. Over UDP it answers
//! one question, which `web ask` puts: which pod is this? On its HTTP port it answers gRPC's health checks too: a service
//! serves as long as there is a file of its name.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

mod health;
mod look;

use nix::sys::signal::{SigSet, Signal};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const USAGE: &str = "usage: web serve [PORT [FOLDER]] | ls [FOLDER] | cat FILE | look PATH... | note FILE... LINE | \
    rm FILE | env | get HOST:PORT/PATH | ask HOST:PORT";

/// A request head longer than this is not one that our clients send.
const HEAD_BYTES_MAX: u64 = 16 * 1024;

/// A client that sends nothing for so long has gone.
const IDLE: Duration = Duration::from_secs(75);

/// After SIGTERM the server goes on answering while the Service's endpoints move away from it.
const LAME_DUCK: Duration = Duration::from_secs(3);

/// What a datagram has to say; others get no answer, so that two servers never talk to each other.
const QUESTION: &[u8] = b"hostname";

/// An answer to a datagram comes by then, or not at all.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        [] | ["serve"] => serve("8080", "/www"),
        ["serve", port] => serve(port, "/www"),
        ["serve", port, folder] => serve(port, folder),
        ["ls"] => list("/"),
        ["ls", folder] => list(folder),
        ["cat", file] => cat(file),
        ["look", paths @ ..] => look::look(paths, &mut io::stdout().lock()),
        ["note", files @ .., line] => files.iter().try_for_each(|file| look::note(file, line)),
        ["rm", file] => std::fs::remove_file(file),
        ["env"] => {
            std::env::vars().for_each(|(name, value)| println!("{name}={value}"));
            Ok(())
        }
        ["get", target] => get(target),
        ["ask", target] => ask(target),
        _ => Err(io::Error::other(USAGE)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("web: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Site {
    root: PathBuf,
    host: String,
    version: String,
    draining: AtomicBool,
}

fn serve(port: &str, folder: &str) -> io::Result<()> {
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGTERM);
    stop.add(Signal::SIGINT);
    // Blocked before any thread exists, so that only `wait` below sees them; as PID 1 they would be ignored otherwise.
    stop.thread_block()?;
    let port = port.parse().map_err(io::Error::other)?;
    // IPv6's takes both families; a machine without it has the other.
    let everywhere: [SocketAddr; 2] = [(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()];
    let listener = TcpListener::bind(&everywhere[..])?;
    let datagrams = UdpSocket::bind(&everywhere[..])?;
    let site = Arc::new(Site {
        root: PathBuf::from(folder),
        host: std::fs::read_to_string("/etc/hostname")
            .or_else(|_| std::env::var("HOSTNAME").map_err(io::Error::other))
            .unwrap_or_else(|_| "unknown".into())
            .trim()
            .to_owned(),
        version: std::env::var("VERSION").unwrap_or_else(|_| "1".into()),
        draining: AtomicBool::new(false),
    });
    println!("{} version {} serves {folder} on port {port}", site.host, site.version);
    let shared = Arc::clone(&site);
    thread::spawn(move || accept(&listener, &shared));
    let shared = Arc::clone(&site);
    thread::spawn(move || answer_datagrams(&datagrams, &shared));
    let signal = stop.wait()?;
    println!("{signal}: serving {LAME_DUCK:?} more");
    site.draining.store(true, Ordering::Relaxed);
    thread::sleep(LAME_DUCK);
    Ok(())
}

fn accept(listener: &TcpListener, site: &Arc<Site>) {
    for stream in listener.incoming() {
        match stream {
            Ok(stream) => {
                let site = Arc::clone(site);
                thread::spawn(move || {
                    if let Err(error) = converse(&stream, &site) {
                        eprintln!("{error}");
                    }
                });
            }
            Err(error) => eprintln!("accept: {error}"),
        }
    }
}

fn answer_datagrams(socket: &UdpSocket, site: &Site) {
    let mut question = [0; 64];
    loop {
        let outcome = match socket.recv_from(&mut question) {
            Ok((length, client)) if question[..length].trim_ascii() == QUESTION => {
                socket.send_to(format!("{}\n", site.host).as_bytes(), client).map(drop)
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            eprintln!("datagram: {error}");
        }
    }
}

/// One connection: requests until the client closes, or until we drain.
fn converse(stream: &TcpStream, site: &Site) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_head(&mut reader)? {
        if request.method == "PRI" {
            return health::converse(&mut reader, &mut &*stream, |service| is_serving(service, site));
        }
        let (status, kind, body) = answer(&request, site);
        let close = request.close || site.draining.load(Ordering::Relaxed);
        println!("{} {} {status}", request.method, request.path);
        let mut out = Vec::with_capacity(body.len() + 256);
        write!(
            out,
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nX-Pod: {}\r\nX-Version: {}\r\nConnection: {}\r\n\r\n",
            body.len(),
            site.host,
            site.version,
            if close { "close" } else { "keep-alive" },
        )?;
        if request.method != "HEAD" {
            out.extend_from_slice(&body);
        }
        (&mut &*stream).write_all(&out)?;
        if close {
            break;
        }
    }
    Ok(())
}

struct Request {
    method: String,
    path: String,
    close: bool,
}

fn read_head(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<Request>> {
    let mut head = reader.take(HEAD_BYTES_MAX);
    let mut line = String::new();
    match head.read_line(&mut line) {
        Ok(0) => return Ok(None),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionReset) => {
            return Ok(None);
        }
        other => other?,
    };
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Err(io::Error::other("not HTTP"));
    };
    let mut close = words.next().as_deref() == Some("HTTP/1.0");
    loop {
        let mut header = String::new();
        if head.read_line(&mut header)? == 0 {
            return Err(io::Error::other("request head is cut short or too long"));
        }
        let header = header.trim_end();
        if header.is_empty() {
            return Ok(Some(Request { method, path, close }));
        }
        close |= header.eq_ignore_ascii_case("connection: close");
    }
}

fn answer(request: &Request, site: &Site) -> (&'static str, &'static str, Vec<u8>) {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return ("405 Method Not Allowed", "text/plain", b"GET and HEAD only\n".to_vec());
    }
    let path = request.path.split('?').next().unwrap_or_default();
    match path {
        "/readyz" if site.draining.load(Ordering::Relaxed) => {
            return ("503 Service Unavailable", "text/plain", b"draining\n".to_vec());
        }
        "/healthz" | "/readyz" => return ("200 OK", "text/plain", b"ok\n".to_vec()),
        "/hostname" => return ("200 OK", "text/plain", format!("{}\n", site.host).into_bytes()),
        _ => {}
    }
    let relative = Path::new(path.trim_start_matches('/'));
    if relative.components().any(|part| !matches!(part, Component::Normal(_))) {
        return ("400 Bad Request", "text/plain", b"no such path\n".to_vec());
    }
    let file = if path == "/" { site.root.join("index.html") } else { site.root.join(relative) };
    match std::fs::read(&file) {
        Ok(body) => ("200 OK", content_type(&file), body),
        Err(_) if path == "/" => {
            ("200 OK", "text/plain", format!("{} version {}\n", site.host, site.version).into_bytes())
        }
        Err(_) => ("404 Not Found", "text/plain", b"not found\n".to_vec()),
    }
}

/// Of gRPC's health checks: the server as a whole until it drains, and what can be got under the name of a service.
fn is_serving(service: &str, site: &Site) -> bool {
    let path = if service.is_empty() { "/readyz".to_owned() } else { format!("/{service}") };
    answer(&Request { method: "GET".to_owned(), path, close: false }, site).0.starts_with("200")
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|end| end.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("json") => "application/json",
        _ => "text/plain; charset=utf-8",
    }
}

fn list(folder: &str) -> io::Result<()> {
    look::names(folder)?.iter().for_each(|name| println!("{name}"));
    Ok(())
}

fn cat(file: &str) -> io::Result<()> {
    io::copy(&mut std::fs::File::open(file)?, &mut io::stdout().lock()).map(drop)
}

fn get(target: &str) -> io::Result<()> {
    let target = target.trim_start_matches("http://");
    let (host, path) = target.split_once('/').unwrap_or((target, ""));
    let mut stream = TcpStream::connect(host)?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("not HTTP"))?;
    print!("{body}");
    if head.starts_with("HTTP/1.1 200") {
        Ok(())
    } else {
        Err(io::Error::other(head.lines().next().unwrap_or_default()))
    }
}

fn ask(target: &str) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(target)?;
    socket.set_read_timeout(Some(ANSWER_WITHIN))?;
    socket.send(QUESTION)?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer)?;
    print!("{}", String::from_utf8_lossy(&answer[..length]));
    Ok(())
}
