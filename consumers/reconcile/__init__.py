"""The reconciliation as a job on AWS Glue: the whole history recomputed, compared with what is live, and repaired."""
