//! Weights in several files: Hugging Face's index, such as `model.safetensors.index.json`, which says for each tensor
//! the name of the file beside it that has it.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use serde_json::Value;
use tch::Tensor;

use super::{StateDict, ending};
use crate::io::FileError;

/// The tensors that an index lists.
pub(super) fn read(index: &Path) -> Result<Vec<(String, Tensor)>, FileError> {
    let damaged = |what: String| FileError::damaged(index, what);
    let bytes = std::fs::read(index).map_err(FileError::reading(index))?;
    let json: Value = serde_json::from_slice(&bytes).map_err(|error| damaged(format!("is no JSON: {error}")))?;
    let map = json["weight_map"].as_object();
    let map = map.ok_or_else(|| damaged("is no index of weights: it has no weight_map".to_owned()))?;
    let mut shards: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, shard) in map {
        let shard = shard.as_str().filter(|shard| is_beside(shard));
        let shard = shard.ok_or_else(|| {
            damaged(format!("says that {name:?} is in {}, which is no name of a file of weights beside it", map[name]))
        })?;
        shards.entry(shard).or_default().push(name);
    }
    let folder = index.parent().unwrap_or(Path::new(""));
    let absent: Vec<&str> = shards.keys().copied().filter(|shard| !folder.join(shard).exists()).collect();
    if !absent.is_empty() {
        return Err(damaged(format!("lists files that are not beside it: {}", absent.join(", "))));
    }
    let mut tensors = Vec::with_capacity(map.len());
    for (shard, names) in shards {
        let path = folder.join(shard);
        let mut there = StateDict::read(&path)?.tensors;
        for name in names {
            let tensor = there.remove(name);
            let tensor = tensor.ok_or_else(|| damaged(format!("says that {name:?} is in {shard}, where it is not")))?;
            tensors.push((name.to_owned(), tensor));
        }
    }
    Ok(tensors)
}

/// Whether a name is one of a file of weights in the folder or below it, and leads nowhere else.
fn is_beside(shard: &str) -> bool {
    let path = Path::new(shard);
    let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
    is_below && matches!(ending(path), "safetensors" | "bin" | "pt")
}
