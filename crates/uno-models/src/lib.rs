//! Language models as the method sees them: chat, embed, rerank; embedded and remote.
