//! Which models the server has.

use super::error::RemoteError;
use super::server::Server;
use super::wire::{ModelCard, ModelList};

/// What is known about the model in use.
pub(crate) struct Known {
    /// Its name in requests.
    pub(crate) name: String,
    /// Stable name for cache keys and manifests; does not depend on where the server runs.
    pub(crate) id: String,
    /// `max_model_len`, if the server says.
    pub(crate) context_length: Option<usize>,
}

pub(crate) async fn list(server: &Server) -> Result<Vec<ModelCard>, RemoteError> {
    Ok(server.get::<ModelList>("/models").await?.data)
}

/// Finds the model, or the only base model when `name` is empty.
pub(crate) async fn find(server: &Server, name: &str) -> Result<Known, RemoteError> {
    let cards = match list(server).await {
        Ok(cards) => cards,
        // Some servers have no list; then the name is taken on trust.
        Err(RemoteError::Status { status: 404 | 405, .. }) if !name.is_empty() => {
            return Ok(Known { name: name.to_owned(), id: format!("remote:{name}"), context_length: None });
        }
        Err(error) => return Err(error),
    };
    let bases: Vec<&ModelCard> = cards.iter().filter(|c| c.parent.is_none()).collect();
    let card = match (name, bases.as_slice()) {
        ("", [only]) => only,
        (name, _) => cards.iter().find(|c| c.id == name).ok_or_else(|| {
            let has: Vec<&str> = bases.iter().map(|c| c.id.as_str()).collect();
            let wanted =
                if name.is_empty() { "set `model`".to_owned() } else { format!("no model {name:?}") };
            RemoteError::Config(format!(
                "{}: {wanted}; the server has: {}",
                server.url("/models"),
                has.join(", ")
            ))
        })?,
    };
    Ok(Known { name: card.id.clone(), id: id(card), context_length: card.max_model_len })
}

/// The name, and what the server says it was loaded from when that tells more. A path is cut to its last part: the same
/// model in another directory is the same model.
fn id(card: &ModelCard) -> String {
    let root = card.root.as_deref().unwrap_or_default();
    let root =
        if root.starts_with('/') { root.rsplit('/').find(|p| !p.is_empty()).unwrap_or("") } else { root };
    if root.is_empty() || root == card.id {
        format!("remote:{}", card.id)
    } else {
        format!("remote:{}({root})", card.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_do_not_depend_on_where_the_server_keeps_the_model() {
        let card = |id: &str, root: &str| ModelCard {
            id: id.into(),
            root: Some(root.into()),
            parent: None,
            max_model_len: None,
        };
        assert_eq!(id(&card("m", "/a/smol/")), id(&card("m", "/b/c/smol")));
        assert_eq!(id(&card("m", "m")), "remote:m");
        assert_eq!(id(&card("m", "org/smol")), "remote:m(org/smol)");
    }
}
