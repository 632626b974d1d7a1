"""How fast it is: training, inference and the hot path, in turn with other libraries and with what cannot be left out.

``deepcore bench`` is its command line.
"""

from .comparison import Change as Change
from .comparison import compare as compare
from .comparison import differences as differences
from .html import page as page
from .nets import BATCHES as BATCHES
from .nets import QUICK as QUICK
from .nets import Net as Net
from .nets import parse_net as parse_net
from .networks import NETWORKS as NETWORKS
from .networks import Network as Network
from .peers import PEERS as PEERS
from .peers import parse_peers as parse_peers
from .report import Report as Report
from .report import Result as Result
from .report import load_report as load_report
from .report import peer_table as peer_table
from .runner import PARTS as PARTS
from .runner import Settings as Settings
from .runner import new_report as new_report
from .runner import run as run
from .threads import note_on_threads as note_on_threads
from .threads import using_threads as using_threads
