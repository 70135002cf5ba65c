//! The method, a module per stage: distil, pairs, judge, features, cluster, gap, verify, plan.
