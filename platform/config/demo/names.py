"""Names of people who do not exist, from many countries: accents and strokes show what the search makes of them."""

from typing import Final

_FEMALE: Final = (
    "Anna Beatriz Charlotte Dilara Elif Fatima Greta Hana Inês Jana Karin Léa Mia Nora Olivia Priya Ruth "
    "Sofía Thảo Ursula Valentina Wanda Xenia Yuki Zoë Agnieszka Björk Camila Dorothea Emma Françoise"
)

_MALE: Final = (
    "André Bruno Cem David Emil François Goran Henrik Ivan João Kenji Łukasz Mateo Noah Ömer Paul Quang "
    "Rafael Søren Tiago Uwe Victor Walter Yannick Zoran Ahmed Björn Carlos Daniel"
)

_FAMILY: Final = (
    "Albrecht Barbosa Çelik Wójcik Evans Ferreira Gärtner Hoffmann Ionescu Jensen Kowalczyk Lindqvist "
    "Müller Nguyễn O'Brien Pereira Quintana Romano Sánchez Tanaka Ünal Vogel Weiß Yamamoto Zimmermann "
    "Almeida Becker Castro Dubois Eriksen Fischer Gomes Hartmann Ibrahim Jovanović Keller Lefèvre Martins "
    "Novák Østergaard Petrov Rodrigues Schröder Takahashi Urban Vieira Wagner Yılmaz Zhang Araújo Brandt "
    "Costa Demir Esposito Friedrich Guimarães Hansen Ito Krüger Lima"
)

FEMALE: Final = _FEMALE.split()
MALE: Final = _MALE.split()
FAMILY: Final = _FAMILY.split()
