"""What the API documents of a thing is what its domain object holds: routes answer the object as it is."""

from dataclasses import fields

import pytest
from pydantic import BaseModel

from functions.campaigns.schemas import CampaignOut
from functions.sites.schemas.sensors import DeviceOut, SensorOut
from functions.sites.schemas.sites import NodeOut, OpenOut, PlacementOut, SiteOut
from functions.tenants.schemas.organizations import InvitationOut
from shared.campaigns.model import Campaign
from shared.hours.model import Openness
from shared.identity.model import Invitation
from shared.sites.model import Device, Node, Placement, Sensor, Site


@pytest.mark.parametrize(
    ("held", "documented"),
    [
        (Campaign, CampaignOut),
        (Site, SiteOut),
        (Node, NodeOut),
        (Placement, PlacementOut),
        (Openness, OpenOut),
        (Sensor, SensorOut),
        (Device, DeviceOut),
        (Invitation, InvitationOut),
    ],
)
def test_the_wire_shows_each_field_and_no_other(held: type, documented: type[BaseModel]) -> None:
    assert [field.name for field in fields(held)] == list(documented.model_fields)
