"""What users get: releases of synthetic images, and samples."""
