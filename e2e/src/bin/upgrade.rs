//! Connections that switch protocols. `upgrade serve ADDRESS` answers every request with 101 and then echoes lines;
//! `upgrade ask ADDRESS HOST` switches and then prints the echo of each line that it reads. The tests run both inside a
//! host's namespaces.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command-line program")]

use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

const PROTOCOL: &str = "echo";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["serve", address] => serve(address),
        ["ask", address, host] => ask(address, host),
        _ => bail!("usage: upgrade serve ADDRESS | upgrade ask ADDRESS HOST"),
    }
}

fn serve(address: &str) -> Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("listening");
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || echo(stream));
    }
    Ok(())
}

/// Lines until an empty one: a message's head.
fn head(reader: &mut impl BufRead) -> Result<String> {
    let mut head = String::new();
    loop {
        let before = head.len();
        ensure!(reader.read_line(&mut head)? > 0, "closed after {head:?}");
        if head[before..].trim_end().is_empty() {
            return Ok(head);
        }
    }
}

fn echo(mut stream: TcpStream) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let asked = head(&mut reader)?.to_ascii_lowercase();
    ensure!(asked.contains(&format!("upgrade: {PROTOCOL}\r\n")), "not asked to switch: {asked}");
    write!(stream, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {PROTOCOL}\r\n\r\n")?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        write!(stream, "echo {line}")?;
        line.clear();
    }
    Ok(())
}

fn ask(address: &str, host: &str) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET /echo HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: {PROTOCOL}\r\n\r\n")?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let answer = head(&mut reader)?;
    ensure!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    println!("switched");
    for line in std::io::stdin().lines() {
        writeln!(stream, "{}", line?)?;
        let mut answer = String::new();
        reader.read_line(&mut answer).context("no echo")?;
        print!("{answer}");
    }
    Ok(())
}
