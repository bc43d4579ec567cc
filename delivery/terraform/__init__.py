"""Infrastructure as a stack of Terraform: planned, applied, compared, and freed from locks of the dead."""
