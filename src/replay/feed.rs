//! The files as partitions.

use super::Inputs;
use anyhow::{Result, bail};
use std::path::PathBuf;
use streamflow_dataflow::dimensions::Role;
use streamflow_model::PartitionId;

/// A file and the partition that it stands for.
#[derive(Clone, Debug)]
pub struct InputFile {
    /// Its path; `-` is standard input.
    pub path: PathBuf,
    /// What it holds.
    pub role: Role,
    /// The partition it is.
    pub partition: PartitionId,
}

/// What topics hold, by their place: in a replay there is one topic a role.
pub const ROLES: [Role; 5] =
    [Role::Transactions, Role::Customers, Role::Stores, Role::Products, Role::Blacklist];

/// All files, numbered.
pub fn files(inputs: &Inputs) -> Result<Vec<InputFile>> {
    let reference = [
        (&inputs.customers, Role::Customers),
        (&inputs.stores, Role::Stores),
        (&inputs.products, Role::Products),
        (&inputs.blacklist, Role::Blacklist),
    ];
    let reference = reference.into_iter().filter_map(|(path, role)| Some((path.as_ref()?, role, 0)));
    let transactions = inputs.transactions.iter().enumerate();
    let transactions = transactions.map(|(number, path)| (path, Role::Transactions, number));
    let mut files = Vec::new();
    for (path, role, number) in reference.chain(transactions) {
        let topic = ROLES.iter().position(|known| *known == role).unwrap_or_default();
        let partition = u16::try_from(number).ok().and_then(|number| PartitionId::new(topic as u16, number));
        let Some(partition) = partition else {
            bail!(
                "{} files: a replay can have at most {}",
                inputs.transactions.len(),
                PartitionId::PARTITIONS
            );
        };
        files.push(InputFile { path: path.clone(), role, partition });
    }
    Ok(files)
}
