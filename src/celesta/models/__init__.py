"""The models: one a file, pure networks that know neither files nor devices."""
