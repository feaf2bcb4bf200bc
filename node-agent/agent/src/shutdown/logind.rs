//! systemd-logind: hears that the machine goes down, and holds it up until the pods have ended.
//! k8s: `pkg/kubelet/nodeshutdown/systemd`

use super::bus::{Arg, Bus, Call, Error as BusError};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;
use tracing::{info, warn};

/// The file that lets delays last as long as the pods have.
const OVERRIDE: &str = "99-drover.conf";
/// logind reads its configuration again a moment after it was told to.
const RELOAD_TRIES: u32 = 20;
const RELOAD_WAIT: Duration = Duration::from_millis(50);
/// Wait before the bus is tried again that was there once. k8s: dbusReconnectPeriod
const RECONNECT: Duration = Duration::from_secs(1);
const HANG_UP: i32 = 1;
const INTERFACE: &str = "org.freedesktop.login1.Manager";
const LOGIND: Call<'_> =
    Call { destination: "org.freedesktop.login1", path: "/org/freedesktop/login1", interface: INTERFACE, member: "" };
const SYSTEMD: Call<'_> = Call {
    destination: "org.freedesktop.systemd1",
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
    member: "",
};
const RULE: &str = "type='signal',sender='org.freedesktop.login1',path='/org/freedesktop/login1',\
                    interface='org.freedesktop.login1.Manager',member='PrepareForShutdown'";

/// Where logind is.
#[derive(Clone, Debug)]
pub struct Place {
    /// The system's message bus.
    pub bus: PathBuf,
    /// For files that change logind's configuration.
    pub settings: PathBuf,
}

impl Place {
    /// Of the machine itself.
    pub fn system() -> Self {
        Self { bus: "/run/dbus/system_bus_socket".into(), settings: "/etc/systemd/logind.conf.d".into() }
    }
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error("logind gave no descriptor to hold")]
    NoLock,
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// What logind says of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    GoesDown,
    /// After all.
    Stays,
}

/// The ear on the bus. Without a bus it hears nothing, which is told once.
pub struct Watch {
    place: Option<Place>,
    /// As long as delays are to last.
    wanted: Duration,
    session: Option<Session>,
    was_there: bool,
}

struct Session {
    bus: Bus,
    /// While it is open, the machine waits.
    lock: Option<OwnedFd>,
}

impl Watch {
    pub fn new(place: Option<Place>, wanted: Duration) -> Self {
        Self { place, wanted, session: None, was_there: false }
    }

    /// The next word. Connects first, and again when the connection is lost.
    pub async fn next(&mut self) -> Word {
        let Some(place) = self.place.clone() else { return std::future::pending().await };
        loop {
            let heard = match &mut self.session {
                Some(session) => session.next().await.map(Some),
                None => self.open(&place).await.map(|()| None),
            };
            match heard {
                Ok(Some(word)) => return word,
                Ok(None) => {}
                Err(error) => self.lost(&error).await,
            }
        }
    }

    async fn open(&mut self, place: &Place) -> Result<(), Error> {
        let session = Session::open(place, self.wanted).await?;
        info!("shutdowns of the machine wait for its pods");
        (self.session, self.was_there) = (Some(session), true);
        Ok(())
    }

    async fn lost(&mut self, error: &Error) {
        let is_new = self.session.take().is_some();
        if !self.was_there {
            tell(error, "no word of shutdowns from systemd-logind: pods end when the agent is stopped by a signal");
            return std::future::pending().await;
        }
        if is_new {
            tell(error, "lost systemd-logind; it is looked for again");
        }
        tokio::time::sleep(RECONNECT).await;
    }

    /// Lets the machine go down.
    pub fn release(&mut self) {
        if let Some(session) = &mut self.session {
            session.lock = None;
        }
    }

    /// Holds the machine up again.
    pub async fn hold(&mut self) {
        let Some(session) = &mut self.session else { return };
        match inhibit(&mut session.bus).await {
            Ok(lock) => session.lock = Some(lock),
            Err(error) => {
                // A new session has a new lock.
                tell(&error, "cannot hold up the next shutdown");
                self.session = None;
            }
        }
    }
}

fn tell(error: &Error, what: &str) {
    warn!(error = error as &dyn std::error::Error, "{what}");
}

impl Session {
    async fn open(place: &Place, wanted: Duration) -> Result<Self, Error> {
        let mut bus = Bus::connect(&place.bus).await?;
        let mut delay = delay_max(&mut bus).await?;
        if delay < wanted {
            delay = match raise(&mut bus, place, wanted).await {
                Ok(delay) => delay,
                Err(error) => {
                    tell(&error, "cannot have logind wait for longer");
                    delay
                }
            };
        }
        if delay < wanted {
            warn!(
                ?delay,
                ?wanted,
                "logind waits for less than --shutdown-grace-period: the rest of it passes while services stop"
            );
        }
        // The signal first: what comes between is heard then.
        bus.subscribe(RULE).await?;
        let lock = inhibit(&mut bus).await?;
        Ok(Self { bus, lock: Some(lock) })
    }

    async fn next(&mut self) -> Result<Word, Error> {
        loop {
            let signal = self.bus.signal().await?;
            let is_ours = signal.interface.as_deref() == Some(INTERFACE)
                && signal.member.as_deref() == Some("PrepareForShutdown");
            if is_ours {
                return Ok(if signal.flag()? { Word::GoesDown } else { Word::Stays });
            }
        }
    }
}

async fn delay_max(bus: &mut Bus) -> Result<Duration, Error> {
    let get = Call { interface: "org.freedesktop.DBus.Properties", member: "Get", ..LOGIND };
    let answer = bus.call(&get, &[Arg::Text(INTERFACE), Arg::Text("InhibitDelayMaxUSec")]).await?;
    Ok(Duration::from_micros(answer.variant_u64()?))
}

/// Has logind wait for as long as is wanted. Returns what it says then.
async fn raise(bus: &mut Bus, place: &Place, wanted: Duration) -> Result<Duration, Error> {
    let path = place.settings.join(OVERRIDE);
    let failed = |source| Error::Write { path: path.clone(), source };
    let seconds = wanted.as_secs() + u64::from(wanted.subsec_nanos() > 0);
    tokio::fs::create_dir_all(&place.settings).await.map_err(failed)?;
    let text = format!("# Written by Drover, for --shutdown-grace-period\n[Login]\nInhibitDelayMaxSec={seconds}\n");
    tokio::fs::write(&path, text).await.map_err(failed)?;
    let args = [Arg::Text("systemd-logind.service"), Arg::Text("all"), Arg::Number(HANG_UP)];
    bus.call(&Call { member: "KillUnit", ..SYSTEMD }, &args).await?;
    let mut delay = delay_max(bus).await?;
    for _ in 0..RELOAD_TRIES {
        if delay >= wanted {
            break;
        }
        tokio::time::sleep(RELOAD_WAIT).await;
        delay = delay_max(bus).await?;
    }
    Ok(delay)
}

async fn inhibit(bus: &mut Bus) -> Result<OwnedFd, Error> {
    let why = ["shutdown", "drover", "Pods are given time to end", "delay"].map(Arg::Text);
    let answer = bus.call(&Call { member: "Inhibit", ..LOGIND }, &why).await?;
    answer.descriptors.into_iter().next().ok_or(Error::NoLock)
}
