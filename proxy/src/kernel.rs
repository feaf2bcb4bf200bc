//! What the kernel holds of Services, in the language of one packet filter: the face that both modes have for the loop.

use crate::apply::{self, ApplyError};
use crate::iptables;
use crate::nft;
use crate::nftables;
use crate::ruleset::{Node, Ruleset};
use tracing::{debug, info};

/// Which packet filter Services are programmed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Iptables,
    Nftables,
}

impl Mode {
    /// As the proxy's `/proxyMode` says it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::Nftables => "nftables",
        }
    }
}

pub(crate) enum Kernel {
    Iptables {
        programmed: iptables::Programmed,
        /// Jumps that are not there, as an input that puts them in; added once there is something to jump to.
        jumps: Option<String>,
        /// What an inspection asks for.
        frame: String,
    },
    Nftables {
        programmed: nftables::Programmed,
    },
}

impl Kernel {
    /// Looks at what is there, and takes away what the other mode left: Services must not be asked for twice.
    pub(crate) async fn open(mode: Mode) -> Result<Self, ApplyError> {
        match mode {
            Mode::Iptables => {
                unless_missing(apply::nft(&nft::removal(nftables::TABLE)).await)?;
                let (programmed, jumps) = found().await?;
                Ok(Self::Iptables { programmed, jumps, frame: iptables::inspection() })
            }
            Mode::Nftables => {
                unless_missing(apply::remove_iptables().await)?;
                Ok(Self::Nftables { programmed: nftables::Programmed::default() })
            }
        }
    }

    /// Looks at the kernel again, after somebody else was there.
    pub(crate) async fn forget(&mut self) -> Result<(), ApplyError> {
        match self {
            Self::Iptables { programmed, jumps, .. } => (*programmed, *jumps) = found().await?,
            Self::Nftables { programmed } => *programmed = nftables::Programmed::default(),
        }
        Ok(())
    }

    /// Whether the next change has to name all ports, whichever differ.
    pub(crate) fn takes_all(&self, wanted: &Ruleset, node: &Node) -> bool {
        match self {
            Self::Iptables { programmed, .. } => programmed.takes_all(node, iptables::are_commented(wanted)),
            Self::Nftables { programmed } => programmed.takes_all(node),
        }
    }

    /// Writes the ports that may differ: as they were programmed, and as they are to be. `wanted` has all of them.
    pub(crate) async fn program(
        &mut self,
        (old, new): (&Ruleset, &Ruleset),
        wanted: &Ruleset,
        node: &Node,
    ) -> Result<(), ApplyError> {
        match self {
            Self::Iptables { programmed, jumps, .. } => {
                let input = programmed.change(old, new, node, iptables::are_commented(wanted));
                if let Some(input) = &input {
                    apply::restore(input).await?;
                    debug!(bytes = input.len(), ports = new.len(), "programmed");
                }
                if let Some(missing) = jumps {
                    apply::restore(missing).await?;
                    *jumps = None;
                    apply::remember_flows();
                    info!(ports = new.len(), "Services are programmed");
                }
            }
            Self::Nftables { programmed } => {
                let first = programmed.takes_all(node);
                if let Some(transaction) = programmed.change(old, new, node) {
                    apply::nft(&transaction).await?;
                    debug!(bytes = transaction.len(), ports = new.len(), "programmed");
                }
                if first {
                    apply::remember_flows();
                    info!(ports = new.len(), "Services are programmed");
                }
            }
        }
        Ok(())
    }

    /// Whether what is there without any Service is still there; an error says what is not.
    pub(crate) async fn inspect(&self) -> Result<(), ApplyError> {
        match self {
            Self::Iptables { frame, .. } => apply::inspect(frame).await,
            Self::Nftables { .. } => {
                let (chain, rule) = nftables::LANDMARK;
                apply::nft_has(nftables::TABLE, chain, rule).await
            }
        }
    }
}

/// What an earlier process left, or somebody else.
async fn found() -> Result<(iptables::Programmed, Option<String>), ApplyError> {
    let (tables, jumps) = apply::existing().await?;
    Ok((iptables::Programmed::after(tables), Some(jumps)))
}

/// Where a program is not installed, nobody has programmed anything through it.
pub(crate) fn unless_missing(outcome: Result<(), ApplyError>) -> Result<(), ApplyError> {
    match outcome {
        Err(ApplyError::Missing { .. }) => Ok(()),
        other => other,
    }
}
