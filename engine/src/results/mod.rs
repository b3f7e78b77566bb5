//! What was found, by address: the tree of links into the store.
