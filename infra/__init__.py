"""What Headway brings beside its code: the recipes of base images, and which flows run where and when."""
