"""The Fourier transform extension of the standard."""

from .helper import fftfreq as fftfreq
from .helper import fftshift as fftshift
from .helper import ifftshift as ifftshift
from .helper import rfftfreq as rfftfreq
from .transform import fft as fft
from .transform import fftn as fftn
from .transform import hfft as hfft
from .transform import ifft as ifft
from .transform import ifftn as ifftn
from .transform import ihfft as ihfft
from .transform import irfft as irfft
from .transform import irfftn as irfftn
from .transform import rfft as rfft
from .transform import rfftn as rfftn
