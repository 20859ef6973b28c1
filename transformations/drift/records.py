"""What drift measurements leave in PostgreSQL."""

DETECTED = "feature_drift_detected_total"
