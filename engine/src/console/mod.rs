//! Boot logs: verdict, test results, failure lines. Pure.
