"""A stand-in for the build backend of nanoarrow's source package.

pip asks a source package for its metadata before it hands the package over. With the real backend that is a build; the metadata
are in the package already, so this gives pip those.
"""

import os
import shutil


def get_requires_for_build_wheel(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(folder, config_settings=None):
    name = "nanoarrow.dist-info"
    os.makedirs(os.path.join(folder, name))
    shutil.copy("PKG-INFO", os.path.join(folder, name, "METADATA"))
    return name
