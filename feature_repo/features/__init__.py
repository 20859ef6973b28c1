"""One file a feature: `VERSIONS` holds every live version, with its metadata and expectations."""
