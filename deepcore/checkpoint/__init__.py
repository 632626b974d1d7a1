"""What survives a program: weights in files, and everything else that training has to remember.

Tensors are in safetensors files and the rest is JSON. Nothing is ever unpickled. What is written replaces what was
there when it is complete and on the disk, and not before.
"""

from .folder import CheckpointFolder as CheckpointFolder
from .generators import generators_in as generators_in
from .pytorch import load_pytorch as load_pytorch
from .weights import check_writable as check_writable
from .weights import load_weights as load_weights
from .weights import replace_file as replace_file
from .weights import save_weights as save_weights
