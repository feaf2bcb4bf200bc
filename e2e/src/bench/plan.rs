//! What is asked of a benchmark on its command line: parts of it by name, and how much of each.

use anyhow::{Context, Result, bail};

pub struct Plan {
    /// Numbers are multiplied by this.
    pub scale: f64,
    parts: Vec<String>,
}

impl Plan {
    /// `[--scale FACTOR] [PART..]`; anything else is answered with `usage`.
    pub fn parse(args: &[String], parts: &[&str], usage: &'static str) -> Result<Self> {
        let mut plan = Self { scale: 1.0, parts: Vec::new() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--scale" => plan.scale = args.next().context(usage)?.parse()?,
                part if parts.contains(&part) => plan.parts.push(part.to_owned()),
                _ => bail!(usage),
            }
        }
        Ok(plan)
    }

    /// All parts are wanted where none is named.
    pub fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }

    pub fn scaled(&self, count: usize) -> usize {
        (count as f64 * self.scale).ceil() as usize
    }
}
