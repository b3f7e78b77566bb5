//! A content-addressed, write-once store; what is written is never changed.
