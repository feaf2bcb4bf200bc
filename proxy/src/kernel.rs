//! What the kernel holds of Services for an address family, in the language of one packet filter: the face that both modes have for the loop.

use crate::apply::{self, ApplyError};
use crate::iptables;
use crate::netfilter;
use crate::nft;
use crate::nftables;
use crate::ruleset::{Node, Ruleset};
use kinds::ip::Family;
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

pub(crate) struct Kernel {
    family: Family,
    filter: Filter,
    /// What nf_tables' generation was when everything was found in its place.
    inspected: Option<u32>,
}

enum Filter {
    Iptables {
        programmed: iptables::Programmed,
        /// Jumps that are not there, as an input that puts them in; added once there is something to jump to.
        jumps: Option<String>,
        /// What an inspection asks for.
        frame: String,
        backend: Backend,
    },
    Nftables {
        programmed: nftables::Programmed,
    },
}

/// Where the installed iptables keeps its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    NfTables,
    Legacy,
}

impl Kernel {
    /// Looks at what is there, and takes away what the other mode left: Services must not be asked for twice.
    pub(crate) async fn open(mode: Mode, family: Family) -> Result<Self, ApplyError> {
        let filter = match mode {
            Mode::Iptables => {
                unless_missing(apply::nft(&nft::removal(family, nftables::TABLE)).await)?;
                let (programmed, jumps) = found(family).await?;
                let (frame, backend) = (iptables::inspection(family), apply::backend(family).await?);
                Filter::Iptables { programmed, jumps, frame, backend }
            }
            Mode::Nftables => {
                unless_missing(apply::remove_iptables(family).await)?;
                Filter::Nftables { programmed: nftables::Programmed::default() }
            }
        };
        Ok(Self { family, filter, inspected: None })
    }

    /// Looks at the kernel again, after somebody else was there.
    pub(crate) async fn forget(&mut self) -> Result<(), ApplyError> {
        self.inspected = None;
        match &mut self.filter {
            Filter::Iptables { programmed, jumps, .. } => (*programmed, *jumps) = found(self.family).await?,
            Filter::Nftables { programmed } => *programmed = nftables::Programmed::default(),
        }
        Ok(())
    }

    /// Whether the next change has to name all ports, whichever differ.
    pub(crate) fn takes_all(&self, wanted: &Ruleset, node: &Node) -> bool {
        match &self.filter {
            Filter::Iptables { programmed, .. } => programmed.takes_all(node, iptables::are_commented(wanted)),
            Filter::Nftables { programmed } => programmed.takes_all(node),
        }
    }

    /// Writes the ports that may differ: as they were programmed, and as they are to be. `wanted` has all of them.
    pub(crate) async fn program(
        &mut self,
        (old, new): (&Ruleset, &Ruleset),
        wanted: &Ruleset,
        node: &Node,
    ) -> Result<(), ApplyError> {
        match &mut self.filter {
            Filter::Iptables { programmed, jumps, .. } => {
                let input = programmed.change(old, new, node, iptables::are_commented(wanted));
                if let Some(input) = &input {
                    apply::restore(self.family, input).await?;
                    debug!(bytes = input.len(), ports = new.len(), "programmed");
                }
                if let Some(missing) = jumps {
                    apply::restore(self.family, missing).await?;
                    *jumps = None;
                    apply::remember_flows();
                    info!(ports = new.len(), family = self.family.name(), "Services are programmed");
                }
            }
            Filter::Nftables { programmed } => {
                let first = programmed.takes_all(node);
                if let Some(transaction) = programmed.change(old, new, node) {
                    apply::nft(&transaction).await?;
                    debug!(bytes = transaction.len(), ports = new.len(), "programmed");
                }
                if first {
                    apply::remember_flows();
                    info!(ports = new.len(), family = self.family.name(), "Services are programmed");
                }
            }
        }
        Ok(())
    }

    /// Whether what is there without any Service is still there; an error says what is not. Costs next to nothing where
    /// nobody has changed anything since the last time.
    pub(crate) async fn inspect(&mut self) -> Result<(), ApplyError> {
        match &self.filter {
            Filter::Iptables { frame, backend: Backend::Legacy, .. } => apply::inspect(self.family, frame).await,
            Filter::Iptables { frame, backend: Backend::NfTables, .. } => {
                let generation = netfilter::generation()?;
                if self.inspected != Some(generation) {
                    apply::inspect(self.family, frame).await?;
                    self.inspected = Some(generation);
                }
                Ok(())
            }
            Filter::Nftables { .. } => {
                let fixed = nftables::fixed(self.family);
                netfilter::inspect((self.family, nftables::TABLE), fixed, &mut self.inspected)
            }
        }
    }
}

/// What an earlier process left, or somebody else.
async fn found(family: Family) -> Result<(iptables::Programmed, Option<String>), ApplyError> {
    let (tables, jumps) = apply::existing(family).await?;
    Ok((iptables::Programmed::after(tables), Some(jumps)))
}

/// Where a program is not installed, nobody has programmed anything through it.
pub(crate) fn unless_missing(outcome: Result<(), ApplyError>) -> Result<(), ApplyError> {
    match outcome {
        Err(ApplyError::Missing { .. }) => Ok(()),
        other => other,
    }
}
