//! What the kernel holds of Services, in the language of one packet filter: the face that both modes have for the loop.

use crate::apply::{self, ApplyError};
use crate::iptables::{self, Tables};
use crate::nft::{self, Table};
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

pub(crate) enum Kernel {
    Iptables {
        /// What this process programmed, and chains that it found.
        tables: Tables,
        jumps: Jumps,
        /// What an inspection asks for.
        frame: String,
    },
    Nftables {
        /// What this process programmed; `None` where the kernel's state is not known.
        table: Option<Table>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jumps {
    Unknown,
    InPlace,
}

impl Kernel {
    /// Looks at what is there, and takes away what the other mode left: Services must not be asked for twice.
    pub(crate) async fn open(mode: Mode) -> Result<Self, ApplyError> {
        match mode {
            Mode::Iptables => {
                unless_missing(apply::nft(&nft::removal(nftables::TABLE)).await)?;
                let tables = apply::existing().await?;
                Ok(Self::Iptables { tables, jumps: Jumps::Unknown, frame: iptables::inspection() })
            }
            Mode::Nftables => {
                unless_missing(apply::remove_iptables().await)?;
                Ok(Self::Nftables { table: None })
            }
        }
    }

    /// Looks at the kernel again, after somebody else was there.
    pub(crate) async fn forget(&mut self) -> Result<(), ApplyError> {
        match self {
            Self::Iptables { tables, jumps, .. } => {
                *tables = apply::existing().await?;
                *jumps = Jumps::Unknown;
            }
            Self::Nftables { table } => *table = None,
        }
        Ok(())
    }

    /// Writes what differs from what is there.
    pub(crate) async fn program(&mut self, rules: &Ruleset, node: &Node) -> Result<(), ApplyError> {
        match self {
            Self::Iptables { tables, jumps, .. } => {
                let wanted = iptables::render(rules, node);
                if let Some(input) = iptables::difference(tables, &wanted) {
                    apply::restore(&input).await?;
                    debug!(bytes = input.len(), ports = rules.len(), "programmed");
                }
                *tables = wanted;
                if *jumps == Jumps::Unknown {
                    apply::ensure_jumps().await?;
                    *jumps = Jumps::InPlace;
                    info!(ports = rules.len(), "Services are programmed");
                }
            }
            Self::Nftables { table } => {
                let wanted = nftables::render(rules, node);
                if let Some(transaction) = nft::difference(nftables::TABLE, table.as_ref(), &wanted) {
                    apply::nft(&transaction).await?;
                    debug!(bytes = transaction.len(), ports = rules.len(), "programmed");
                }
                if table.replace(wanted).is_none() {
                    info!(ports = rules.len(), "Services are programmed");
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

/// Where a program is not installed, nobody has programmed anything through it.
fn unless_missing(outcome: Result<(), ApplyError>) -> Result<(), ApplyError> {
    match outcome {
        Err(ApplyError::Missing { .. }) => Ok(()),
        other => other,
    }
}
